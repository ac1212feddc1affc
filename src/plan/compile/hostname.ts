/** hostname and domainname of the UTS namespace, and the loopback interface of a new network namespace. */
import type { CreateContext } from './create-context.ts'
import { hasNamespace } from './create-context.ts'

export function emitHostname(c: CreateContext): void {
  const { b, config } = c
  for (const [key, call] of [
    ['hostname', 'sethostname'],
    ['domainname', 'setdomainname'],
  ] as const) {
    const name = config[key]
    if (name === undefined || name === '') continue
    const text = b.string(name)
    b.at(`/${key}`, () => b.run(call, [text, text.length - 1]))
  }
}

/** Brings `lo` up (netdevice(7) SIOCSIFFLAGS), as every runtime does in a new network namespace. */
export function emitLoopback(c: Pick<CreateContext, 'b' | 'config'>): void {
  if (!hasNamespace(c.config, 'network', 'new')) return
  const AF_INET = 2
  const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
  const SIOCSIFFLAGS = 0x8914
  const IFF_UP = 1
  const { b } = c
  b.at('loopback', () => {
    const request = Buffer.alloc(40) // struct ifreq
    request.write('lo')
    request.writeUInt16LE(IFF_UP, 16)
    const socket = b.sys('socket', [AF_INET, SOCK_DGRAM_CLOEXEC, 0])
    b.run('ioctl', [socket, SIOCSIFFLAGS, b.bytes(request)])
    b.run('close', [socket])
  })
}
