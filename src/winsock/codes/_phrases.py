"""Short texts under which the codes are known besides Windows' messages, for recognition only.

What C libraries, resolvers, runtimes and older documents call them, in the languages of the catalogue; of longer
texts the part that tells them from others.
"""

from __future__ import annotations

PHRASES: dict[int, str] = {
    10004: "interrupted function call|appel de fonction interrompu|呼び出しに割り込み|被中斷的系統呼叫",
    10009: "bad file number|file handle is not valid|descripteur de fichier non valide|錯誤的檔案代碼",
    10013: "permission denied|autorisation refusée|アクセスは拒否|許可がありません|無此權限",
    10014: "bad address|adresse incorrecte|アドレスが正しく|錯誤的記憶體位址",
    10022: "invalid argument|argument non valide|無効な引数|參數錯誤",
    10024: "too many open files|trop de fichiers ouverts|ファイルが多すぎ|太多開啟的檔案",
    10035: "resource temporarily unavailable|operation would block|ressource temporairement indisponible|"
    "リソースが一時的に利用でき|函式作用阻攔中",
    10036: "operation now in progress|opération en cours|操作は現在実行中|有阻攔函式正在執行中",
    10037: "operation already in progress|opération déjà en cours|操作は既に実行中|函式作用已完成",
    10038: "socket operation on nonsocket|socket operation on non-socket|"
    "opération de socket sur autre chose qu'un socket|ソケット以外に対する|非法的socket",
    10039: "destination address required|adresse de destination requise|送信先のアドレスが必要|需要對方位址",
    10040: "message too long|message trop long|メッセージが長すぎ|訊息太長",
    10041: "protocol wrong type for socket|mauvais type de protocole pour le socket|プロトコルの種類が|"
    "錯誤的協定型別",
    10042: "bad protocol option|protocol not available|mauvaise option de protocole|プロトコルのオプション|"
    "錯誤的協定選項",
    10043: "protocol not supported|protocole non pris en charge|プロトコルがサポートされて|不支援的協定",
    10044: "socket type not supported|type de socket non pris en charge|サポートされていないソケットの種類|"
    "不支援的socket型別",
    10045: "operation not supported|opération non prise en charge|操作がソケット上で|作用函式不支援此類socket",
    10046: "protocol family not supported|famille de protocoles non prise en charge|"
    "プロトコル ファミリがサポートされて|不支援的協定家族",
    10047: "address family not supported by protocol family|address family not supported by protocol|"
    "address family not supported|famille d'adresses non prise en charge|"
    "アドレス ファミリをサポートして|不支援的位址家族",
    10048: "address already in use|address in use|adresse déjà utilisée|アドレスは既に使用中|位址已被指定了",
    10049: "cannot assign requested address|can't assign requested address|"
    "impossible d'assigner l'adresse demandée|アドレスを割り当てられ|無法指定位址",
    10050: "network is down|le réseau est en panne|ネットワークがダウン|網路出錯",
    10051: "network is unreachable|network unreachable|le réseau est inaccessible|ネットワークに到達でき|"
    "無法連上指定的網路",
    10052: "network dropped connection on reset|network dropped connection|ネットワークがリセット|網路已被重新設定",
    10053: "software caused connection abort|connection aborted|connexion abandonnée par le logiciel|"
    "ソフトウェアによって接続が中止|中斷連接",
    10054: "connection reset by peer|connection reset|connexion réinitialisée par l'homologue|"
    "connexion réinitialisée par le correspondant|ピアによって接続がリセット|接続がリセット|"
    "連結已被對方重新設定|連線被對方重設",
    10055: "no buffer space available|no buffer space|espace tampon insuffisant|バッファ領域が不足|"
    "バッファ領域がサポート|緩衝區過小",
    10056: "socket is already connected|transport endpoint is already connected|le socket est déjà connecté|"
    "ソケットは既に接続|socket已經連接",
    10057: "socket is not connected|transport endpoint is not connected|le socket n'est pas connecté|"
    "ソケットが接続されて|socket尚未連接",
    10058: "cannot send after socket shutdown|cannot send after transport endpoint shutdown|"
    "can't send after socket shutdown|シャットダウン後に送信|socket已經關閉",
    10059: "too many references|trop de références|參照太多",
    10060: "connection timed out|operation timed out|i/o timeout|délai de connexion dépassé|"
    "délai d'attente dépassé|接続がタイムアウト|連接逾時|連線逾時",
    10061: "connection refused|actively refused|connexion refusée|接続が拒否|接続を拒否|連接受拒|連線被拒|連線遭拒",
    10062: "too many levels of symbolic links|太多層的符號式鏈結",
    10063: "file name too long|name too long|nom trop long|檔名過長",
    10064: "host is down|l'hôte est en panne|ホストがダウン|對方主機關閉",
    10065: "no route to host|host unreachable|aucun itinéraire vers l'hôte|到達するためのルートが|無法聯繫對方主機",
    10066: "directory not empty|répertoire non vide",
    10067: "too many processes|trop de processus|プロセスが多すぎ",
    10091: "network subsystem is unavailable|network sub-system is unavailable|"
    "sous-système réseau non disponible|ネットワーク サブシステムが利用でき|主機網路系統尚未備妥",
    10092: "winsock.dll version out of range|wrong winsock dll version|バージョンの Winsock.dll|"
    "不支援的winsock.dll版本",
    10093: "successful wsastartup not yet performed|wsastartup not performed|WSAStartup の実行に成功して|"
    "未執行WSAStartup",
    10101: "graceful shutdown in progress|arrêt progressif en cours|シャットダウン処理が進行中",
    10109: "class type not found|type de classe introuvable|種類のクラスが見つかり|"
    "servname not supported for ai_socktype",
    11001: "host not found|no such host|name or service not known|unknown host|getaddrinfo failed|"
    "nodename nor servname provided, or not known|hôte introuvable|ホストが見つかり|"
    "已經證實找不到主機|找不到主機",
    11002: "nonauthoritative host not found|non-authoritative host not found|"
    "temporary failure in name resolution|échec temporaire dans la résolution du nom|"
    "權威伺服器沒有回應",
    11003: "non-recoverable error|nonrecoverable error|non-recoverable failure in name resolution|"
    "回復不可能なエラー|回復できないエラー|無法挽救的錯誤",
    11004: "no data record of requested type|no data of that type|no address associated with hostname|"
    "名稱合法,但查無此資料",
}
