def ioctl(ep,control,data,size): return b""
