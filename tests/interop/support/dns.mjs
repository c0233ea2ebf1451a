// A name server on loopback that knows the TXT records a test gives it, and no other name (RFC 1035).

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const TXT = 16;

/** The name asked for, and where the question ends. */
function question(message) {
  const labels = [];
  let at = 12;
  while (message[at]) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
    at += message[at] + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function answer(message, texts) {
  const { name, type, end } = question(message);
  const known = texts.get(name);
  const records = (type === TXT && known ? [known] : []).map((text) => {
    // The name by its offset in the question, TXT, IN, a minute; then its length, and the text behind its own.
    const head = Buffer.from([0xc0, 12, 0, TXT, 0, 1, 0, 0, 0, 60, 0, text.length + 1, text.length]);
    return Buffer.concat([head, Buffer.from(text)]);
  });
  const header = Buffer.alloc(12);
  message.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (known ? 0 : 3), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, message.subarray(12, end), ...records]);
}

/** `texts` is a Map of names and their text; `address` is what `--dns-server` wants. */
export async function startNameServer() {
  const texts = new Map();
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(answer(message, texts), from.port, from.address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { texts, address: `127.0.0.1:${socket.address().port}`, stop: () => socket.close() };
}
