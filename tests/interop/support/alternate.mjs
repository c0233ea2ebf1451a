// A load balancer of the simplest kind: each request goes to the next node. What survives it needs no node's memory.

import { createServer, request as send } from 'node:http';
import { once } from 'node:events';

export async function alternate(port, nodes) {
  let turn = 0;
  const served = nodes.map(() => 0);
  const server = createServer((request, response) => {
    const node = turn++ % nodes.length;
    served[node]++;
    const onward = send({ host: '127.0.0.1', port: nodes[node], method: request.method, path: request.url, headers: request.headers, agent: false });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', (error) => response.writeHead(502).end(String(error)));
    request.pipe(onward);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return { served, stop() { server.closeAllConnections(); server.close(); } };
}
