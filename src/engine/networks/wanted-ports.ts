/** Which ports a container wants to have published: -p, and with -P what it and its image expose. */
import { parseExpose, parsePublish, type WantedPort } from '../../network/port-publish.ts'
import type { ContainerRecord } from '../container-record.ts'

export function wantedPorts({
  request,
  exposedPorts = [],
}: ContainerRecord): readonly WantedPort[] {
  const published = (request.publish ?? []).flatMap(parsePublish)
  const exposed = [...(request.expose ?? []), ...exposedPorts].flatMap(parseExpose)
  if (request.publishAll !== true) return published
  const isPublished = (port: (typeof exposed)[number]): boolean =>
    published.some(
      ({ protocol, containerPort }) =>
        protocol === port.protocol && containerPort === port.containerPort,
    )
  const seen = new Set<string>()
  const rest = exposed.filter((port) => {
    const key = `${port.containerPort}/${port.protocol}`
    if (isPublished(port) || seen.has(key)) return false
    seen.add(key)
    return true
  })
  return [...published, ...rest.map((port) => ({ ...port, hostIp: '', hostPorts: undefined }))]
}
