/** The lines of `port`: which address of the host leads to which port of a container. */
import { TsrunError } from '../../errors.ts'
import { parseExpose } from '../../network/port-publish.ts'
import { hostSide, portKey } from '../../network/shown-ports.ts'
import { shortId } from '../container-record.ts'
import { isLive, statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { EndpointReader, shownPorts } from './endpoints.ts'

/**
 * `80/tcp -> 0.0.0.0:8080` for each published port; with `wanted` (`80`, `53/udp`) only the addresses of that one,
 * and `not-found` when it is not published.
 */
export function publishedAt(engine: Engine, id: string, wanted?: string): readonly string[] {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  const live = isLive(statusOf(record, engine.containers.directory(id)))
  const ports = shownPorts(record, new EndpointReader(engine.dataRoot).of(record, live)).filter(
    ({ hostPort }) => hostPort !== undefined,
  )
  if (wanted === undefined) return ports.map((port) => `${portKey(port)} -> ${hostSide(port)}`)
  const key = keyOf(wanted)
  const found = ports.filter((port) => portKey(port) === key)
  if (found.length > 0) return found.map(hostSide)
  throw new TsrunError(
    'not-found',
    `cannot show the port ${key} of container "${record.name}": ${live ? 'it is not published' : 'the container does not run'}`,
    live ? { hint: `tsrun port ${record.name} shows those that are` } : {},
  )
}

function keyOf(text: string): string {
  try {
    const [first, ...more] = parseExpose(text)
    if (first !== undefined && more.length === 0) return portKey(first)
  } catch {
    // Said below, in the words of this command.
  }
  throw new TsrunError('invalid-argument', `cannot show the port "${text}": it is PORT[/PROTOCOL]`)
}
