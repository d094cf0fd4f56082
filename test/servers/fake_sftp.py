#!/usr/bin/python3
"""fake_sftp [QUIRK...]: not OpenSSH but a server of the test's own, which speaks SFTP 3 on its standard input and output.

For what OpenSSH does not do, or in odd moments only. It takes the place of ssh (HOLDFAST_SFTP_COMMAND), whose options
follow the quirks. Words of QUIRK:

no-posix-rename, no-hardlink, no-fsync   without that extension
rename-replaces    a plain rename takes another's place
lost-race=NAME     what is renamed to NAME is another's the moment after
folder-fsync-fails of folders alone
append-only        nothing is removed, and nothing gets another name, but by a link
cut-at=TEXT        the connection ends when a file whose path has TEXT in it was opened for writing, or before it is
                   linked there, if FILE is there
cut-if=FILE        (goes with it; FILE is removed)
wrong-answer=N     request type N is answered by a handle
half-status=N      by a status without its code
endless            a folder's listing has no end
silent=N           request type N is not answered; all others are
deaf=FILE          at the first bytes to write FILE is made, and no request is read any more; something is said all the
                   same
"""
import os
import struct
import sys
import threading
import time

OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, UNSUPPORTED = 0, 1, 2, 3, 4, 8
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED_REPLY = 101, 102, 103, 104, 105, 201


class Server:
    def __init__(self, quirks):
        self.quirks = dict(q.partition("=")[::2] for q in quirks)
        self.handles, self.out = {}, sys.stdout.buffer
        self.beat = None

    def has(self, quirk, kind=None):
        return quirk in self.quirks and (kind is None or self.quirks[quirk] == str(kind))

    # ---- Fields.

    def u32(self):
        value, = struct.unpack_from(">I", self.packet, self.at)
        self.at += 4
        return value

    def u64(self):
        return self.u32() << 32 | self.u32()

    def string(self):
        n = self.u32()
        self.at += n
        return self.packet[self.at - n:self.at]

    @staticmethod
    def pack(s):
        return struct.pack(">I", len(s)) + s

    def attrs(self, path):
        st = os.stat(path)
        return struct.pack(">IQIIIII", 0xf, st.st_size, st.st_uid, st.st_gid, st.st_mode, int(st.st_atime),
                           int(st.st_mtime))

    # ---- Packets.

    def send(self, kind, body):
        packet = struct.pack(">IB", len(body) + 1, kind) + body
        self.out.write(packet)
        self.out.flush()

    def answer(self, ident, kind, body):
        self.send(kind, struct.pack(">I", ident) + body)

    def status(self, ident, code):
        self.answer(ident, STATUS, struct.pack(">I", code) + self.pack(b"") + self.pack(b""))

    def serve(self):
        source = sys.stdin.buffer
        while len(head := source.read(4)) == 4:
            self.packet, self.at = source.read(struct.unpack(">I", head)[0]), 1
            kind = self.packet[0]
            if kind == 1:
                self.greet()
                continue
            ident = self.u32()
            if self.has("deaf") and kind == 6:
                open(self.quirks["deaf"], "wb").close()
                self.chatter()
            if self.has("silent", kind):
                if self.beat is None:  # something is heard all the same: answers to nobody
                    self.beat = threading.Thread(target=self.chatter, daemon=True)
                    self.beat.start()
            elif self.has("wrong-answer", kind):
                self.answer(ident, HANDLE, self.pack(b"h"))
            elif self.has("half-status", kind):
                self.answer(ident, STATUS, b"\0\0")
            else:
                try:
                    self.request(kind, ident)
                except (FileNotFoundError, NotADirectoryError):
                    self.status(ident, NO_SUCH_FILE)
                except PermissionError:
                    self.status(ident, DENIED)
                except OSError:
                    self.status(ident, FAILURE)

    def chatter(self):
        while True:
            time.sleep(0.2)
            self.status(0xffffffff, OK)

    def greet(self):
        body = struct.pack(">I", 3)
        for name in ("posix-rename", "hardlink", "fsync"):
            if not self.has("no-" + name):
                body += self.pack(name.encode() + b"@openssh.com") + self.pack(b"1")
        self.send(2, body)

    def request(self, kind, ident):
        names = {3: "open", 4: "close", 5: "read", 6: "write", 11: "opendir", 12: "readdir", 13: "remove", 14: "mkdir",
                 17: "stat", 18: "rename", 200: "extended"}
        getattr(self, "do_" + names[kind])(ident)

    def handle(self, ident, what):
        name = b"h%d" % len(self.handles)
        self.handles[name] = what
        self.answer(ident, HANDLE, self.pack(name))

    def cut(self, path):
        if self.has("cut-at") and self.quirks["cut-at"].encode() in path and os.path.exists(self.quirks["cut-if"]):
            os.unlink(self.quirks["cut-if"])
            os._exit(1)

    def do_open(self, ident):
        path, flags = self.string(), self.u32()
        how = os.O_RDONLY if flags == 1 else os.O_WRONLY | os.O_CREAT | os.O_EXCL
        fd = os.open(path, how, 0o400)
        if flags != 1:
            self.cut(path)
        self.handle(ident, fd)

    def do_close(self, ident):
        what = self.handles[self.string()]
        if isinstance(what, int):
            os.close(what)
        self.status(ident, OK)

    def do_read(self, ident):
        fd, off, n = self.handles[self.string()], self.u64(), self.u32()
        data = os.pread(fd, n, off)
        if data:
            self.answer(ident, DATA, self.pack(data))
        else:
            self.status(ident, EOF)

    def do_write(self, ident):
        fd, off, data = self.handles[self.string()], self.u64(), self.string()
        os.pwrite(fd, data, off)
        self.status(ident, OK)

    def do_opendir(self, ident):
        path = self.string()
        self.handle(ident, (path, [os.listdir(path)]))

    def do_readdir(self, ident):
        path, names = self.handles[self.string()]
        if not names:
            return self.status(ident, EOF)
        body = b"".join(self.pack(n) + self.pack(n) + self.attrs(os.path.join(path, n)) for n in names[0])
        self.answer(ident, NAME, struct.pack(">I", len(names[0])) + body)
        if not self.has("endless"):
            names.pop()

    def deny(self):
        if self.has("append-only"):
            raise PermissionError

    def do_remove(self, ident):
        self.deny()
        os.unlink(self.string())
        self.status(ident, OK)

    def do_mkdir(self, ident):
        os.mkdir(self.string())
        self.status(ident, OK)

    def do_stat(self, ident):
        self.answer(ident, ATTRS, self.attrs(self.string()))

    def do_rename(self, ident):
        source, target = self.string(), self.string()
        self.deny()
        if os.path.exists(target) and not self.has("rename-replaces"):
            return self.status(ident, FAILURE)
        os.rename(source, target)
        if self.has("lost-race") and target.endswith(self.quirks["lost-race"].encode()):
            with open(source, "wb") as f:
                f.write(bytes(os.path.getsize(target)))
            os.rename(source, target)
        self.status(ident, OK)

    def do_extended(self, ident):
        name = self.string()
        if name == b"fsync@openssh.com":
            fd = self.handles[self.string()]
            folder = os.path.isdir(f"/proc/self/fd/{fd}")
            self.status(ident, FAILURE if folder and self.has("folder-fsync-fails") else OK)
        elif name == b"hardlink@openssh.com" and not self.has("no-hardlink"):
            source, target = self.string(), self.string()
            self.cut(target)
            os.link(source, target)
            self.status(ident, OK)
        elif name == b"posix-rename@openssh.com" and not self.has("no-posix-rename"):
            self.deny()
            os.replace(self.string(), self.string())
            self.status(ident, OK)
        else:
            self.status(ident, UNSUPPORTED)


if __name__ == "__main__":
    args = sys.argv[1:]
    Server([a for a in args[:next((i for i, a in enumerate(args) if a.startswith("-")), len(args))]]).serve()
