/** An HTTP proxy that knows CONNECT alone and leads every name to one address, as a closed network would. */
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export interface ConnectProxy extends AsyncDisposable {
  readonly url: string
  /** `<authority> <Proxy-Authorization>` of every CONNECT. */
  readonly connects: readonly string[]
}

/** With `status`, it answers that instead of connecting. */
export async function startConnectProxy(port: number, status = 200): Promise<ConnectProxy> {
  const connects: string[] = []
  const sockets = new Set<Duplex>()
  const server = createServer()
  server.on('connect', (request, client) => {
    connects.push([request.url, request.headers['proxy-authorization']].filter(Boolean).join(' '))
    sockets.add(client)
    client.on('error', () => {
      // The client went away: what it asked for is in the list.
    })
    client.write(`HTTP/1.1 ${status} x\r\n\r\n`)
    if (status !== 200) {
      client.end()
      return
    }
    const upstream: Socket = connect(port, '127.0.0.1')
    sockets.add(upstream)
    upstream.on('error', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connects,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
