"""The words beside a number that tell whether it is an error code, in the languages that logs are written in."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# A number straight after one of these is an error code of sockets.
STRONG = _set("""
    winerror errno wsa wsaerror wsaerr wsagetlasterror getlasterror lasterror winsock winsockerror
    socketerror sockerr sockerror socketerrorcode nativeerrorcode nativeerror socketexception
    win32exception eidsocketerror gaierror connectionreseterror connectionrefusederror
    connectionabortederror connectionerror oserror syserr wserr nserror socketfehler
    ソケットエラー 套接字错误 通訊端錯誤
""")
# ... of something.
ERROR = _set("""
    error err erro errcode errorcode errornumber errorno errnum hresult exception dwerror nerror ierror lerror
    erreur fehler fehlercode fehlernummer errore błąd ошибка ошибки ошибкой
    错误 错误码 错误代码 错误号 错误代号 报错 錯誤 錯誤碼 錯誤代碼 錯誤代號
    エラー エラーコード エラー番号 오류 오류코드 에러
""")
# In Chinese, Japanese and Korean words grow together: a word that ends with one of these is one.
ERROR_ENDS = tuple("错误 错误码 错误代码 错误号 錯誤 錯誤碼 錯誤代碼 エラー エラーコード 오류 에러 fehler".split())
# Words for codes of any kind: they leave the question to the one before.
VAGUE = _set("""
    code codes no nr num number nummer numéro número номер код kod código codice kode rc ret retcode rv
    result status reason was is got returned returns return returning コード 番号 코드 代码 代碼 号
""")
# Words that say nothing.
SKIPPED = _set("""
    of with the in call socket sock win32 windows native os secondary last de du di da
    gniazda сокета soquete 소켓
""")
FAILED = _set("""
    failed fails failure failing fail unable lost disconnected disconnect dropped aborted refused reset
    closed timeout out échec échoué fehlgeschlagen fallo falló falhou fallita ошибкой сбой 失败 失敗 실패
""")
CALLS = _set("""
    socket connect connectex bind listen accept acceptex recv recvfrom recvmsg send sendto sendmsg
    select poll shutdown closesocket ioctlsocket setsockopt getsockopt getsockname getpeername
    getaddrinfo getnameinfo gethostbyname gethostbyaddr
""")
# A number after these is no count and no port.
CODE_GIVING = _set("""
    getaddrinfo getnameinfo gethostbyname gethostbyaddr closesocket ioctlsocket setsockopt getsockopt
    getsockname getpeername
""")
# Words after which a number is something else.
OTHER = _set("""
    port ports pid tid process thread threadid processid id ids uid gid line lines index idx bytes byte
    size length len order item player user price total count fd event eventid eventrecordid record row
    page version seed score took job build case ticket invoice session client customer sku zip postal
    area exit http seq offset limit max min timeout width height epoch step sale amount qty pos x y z
    expected duration latency time ts year fragment chunk chunks frame tick gate
    端口 端口号 连接埠 連接埠 ポート puerto porta порт порту порте 포트 订单 注文番号
""")
# An error of these is no error of sockets.
OTHER_ERRORS = _set("http exit syntax parse compiler")

# Units and words that make a number before them a quantity.
UNIT = re.compile(
    r"\s*(?:bytes?|milli|micro|nano|[kKmMgG]i?[bB]?\b|ms\b|µs|us\b|ns\b|s\b|sec|min(?:utes)?\b|rows?|lines?|items?|records?"
    r"|times|files?|connections?|requests?|packets?|users?|buffers?|of \d|/ ?\d|x\d|px|x\b|passed|errors?\b"
    r"|warnings?|%|元|円|원|руб|€|\$)"
)
# Sockets are spoken of.
SOCKETS = re.compile(
    r"sock|connect|recv|send|\bbind|\blisten|accept|winsock|wsa|\btcp|\budp|network|peer|remote|\bhost|upstream"
    r"|proxy|client|server|\bnet\b|telnet|getaddrinfo|gethostby|dns|套接字|连接|連線|連接|通訊端|接続|ソケット"
    r"|网络|網路|服务器|伺服器|ネットワーク|サーバ|verbind|connexion|réseau|serveur|conexi|conexão|connession"
    r"|соедин|подключ|сокет|połącz|gniazd|연결|소켓",
    re.I,
)
# Something went wrong.
TROUBLE = re.compile(
    r"err|fail|refus|reset|abort|time[ds]?[ -]?out|lost|unable|can'?t|cannot|could not|exception|disconnect"
    r"|unreach|broken|drop|invalid|not found|returned -1|失败|失敗|错误|錯誤|エラー|无法|無法|不能|拒绝|拒絕"
    r"|断开|中斷|できません|切断|fehl|échou|échec|impossible|fall"
    r"|ошибк|сбой|не удалось|błąd|nie można|오류|실패|못했|no se pudo|não foi possível|konnte",
    re.I,
)
