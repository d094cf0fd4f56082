"""nginx_dav: WebDAV as nginx speaks it with its dav and dav-ext modules, with a login."""
import os

from server import Server, certificate, free_port, listens, need_programs

USER, PASSWORD = "alice", "a pass:word \u00fc"
CONF = """
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off; {user} pid {d}/pid; error_log {d}/error.log; worker_processes 1;
events {{}}
http {{
  access_log {d}/access.log; client_body_temp_path {d}/body; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;
  uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
  server {{
    listen 127.0.0.1:{port} {tls};
    root {d}/root; client_max_body_size 0; auth_basic dav; auth_basic_user_file {d}/logins;
    location / {{ dav_methods PUT DELETE MKCOL MOVE; dav_ext_methods PROPFIND OPTIONS; dav_access user:rw; }}
    location /read-only/ {{ dav_ext_methods PROPFIND; }}
  }}
}}
"""


class NginxDav(Server):
    def __init__(self, folder, tls=False):
        need_programs("nginx", "openssl")
        super().__init__(folder)
        self.port, self.tls = free_port(), tls

    def up(self):
        os.makedirs(self.path("root/dav"))
        os.makedirs(self.path("root/read-only"))
        if self.tls:
            certificate(self)
        with open(self.path("logins"), "w") as f:
            f.write(f"{USER}:" + self.run("openssl", "passwd", "-apr1", PASSWORD))
        with open(self.path("conf"), "w") as f:
            f.write(CONF.format(d=self.folder, port=self.port, user="user root;" if os.geteuid() == 0 else "",
                                tls=f"ssl http2; ssl_certificate {self.path('cert.pem')}; "
                                f"ssl_certificate_key {self.path('key.pem')}" if self.tls else ""))
        self.start("nginx", "/usr/sbin/nginx", "-e", self.path("error.log"), "-c", self.path("conf"))
        self.wait(lambda: listens(self.port), "nginx")
        return self
