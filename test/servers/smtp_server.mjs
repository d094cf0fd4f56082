// smtp_server.mjs FOLDER CERT KEY MODE: a mail server (npm smtp-server) that checks logins and keeps what it gets.
// MODE: starttls, tls, or plain (neither, and no login). Prints its port; mails are FOLDER/N.eml, envelopes FOLDER/N.json.
// What it is asked at is in the recipients: busy@ is told 451, full@ 452 after the data, refused@ 550.
import fs from 'node:fs';
import { createRequire } from 'node:module';
const { SMTPServer } = createRequire(process.env.NPM_ROOT + '/x.js')('smtp-server');
const [folder, cert, key, mode] = process.argv.slice(2);
let n = 0;

function no(code, text) {
  return Object.assign(new Error(text), { responseCode: code });
}

const server = new SMTPServer({
  secure: mode === 'tls',
  ...(mode === 'plain' ? { disabledCommands: ['STARTTLS', 'AUTH'] } : { key: fs.readFileSync(key), cert: fs.readFileSync(cert) }),
  authOptional: mode === 'plain',
  authMethods: ['PLAIN', 'LOGIN'],
  allowInsecureAuth: false,
  logger: false,
  onAuth(auth, session, done) {
    if (auth.username === 'holdfast' && auth.password === 'pa ss:wörd') done(null, { user: auth.username });
    else done(no(535, '5.7.8 authentication credentials invalid'));
  },
  onRcptTo(address, session, done) {
    const who = address.address.split('@')[0];
    done(who === 'busy' ? no(451, '4.7.1 try again later') : who === 'refused' ? no(550, '5.1.1 no such user') : null);
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on('data', (c) => chunks.push(c));
    stream.on('end', () => {
      if (session.envelope.rcptTo.some((r) => r.address.startsWith('full@'))) return done(no(452, '4.2.2 mailbox full'));
      if (session.envelope.rcptTo.some((r) => r.address.startsWith('spam@'))) return done(no(554, '5.7.1 looks like spam'));
      do n++; while (fs.existsSync(`${folder}/${n}.json`)); // others may keep theirs here too
      fs.writeFileSync(`${folder}/${n}.json`, JSON.stringify({ ...session.envelope, secure: session.secure, user: session.user }));
      fs.writeFileSync(`${folder}/${n}.eml`, Buffer.concat(chunks));
      done(null, `queued as ${n}`);
    });
  },
});
server.on('error', () => {});
server.listen(0, '127.0.0.1', () => console.log(server.server.address().port));
