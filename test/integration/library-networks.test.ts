/** Networks from a Node program, in a network namespace of the test's own as the host's. */
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NetworkHost } from '../support/network-host.ts'
import { missing } from '../support/requires.ts'
import { TSRUN } from '../support/runtime.ts'

const PROGRAM = `
const [library, dataRoot, stateRoot] = process.argv.slice(1)
const { createNetwork, listNetworks, removeNetwork, run } = await import(library)
const roots = { dataRoot, stateRoot }
const { id } = await createNetwork('app', { dataRoot, subnets: ['10.77.0.0/24'], labels: { a: 'b' } })
const script = 'ip -o -4 addr show eth0; cat /etc/hosts'
const options = { ...roots, image: 'busybox', pull: 'never', args: ['sh', '-c', script] }
const { stdout } = await run({ ...options, network: 'app', hostname: 'me' })
const failure = await run({ ...options, network: 'nowhere' }).catch(({ kind }) => kind)
const listed = listNetworks({ dataRoot, filters: ['label=a'] }).map((one) => [one.id === id, one.name])
await removeNetwork('app', { dataRoot })
const published = await run({ ...options, publish: ['8080:80'] })
const loopback = await run({ ...options, args: ['ls', '/sys/class/net'] })
console.log(JSON.stringify({ stdout, failure, listed, published: published.stdout, loopback: loopback.stdout, left: listNetworks({ dataRoot }).map(({ name }) => name) }))
`

describe.skipIf(missing('root', 'command:ip'))('networks of the library', () => {
  let network: NetworkHost

  beforeAll(async () => {
    network = await NetworkHost.make()
  })

  afterAll(() => {
    network?.[Symbol.dispose]()
  })

  it('are made, joined by run(), listed and removed', () => {
    const { dataRoot, stateRoot } = network.engine
    const library = join(dirname(TSRUN), 'index.js')
    const words = [process.execPath, '--input-type=module', '-e', PROGRAM, library]
    const result = JSON.parse(network.host.succeed([...words, dataRoot, stateRoot]))
    expect(result.stdout).toMatch(/inet 10\.77\.0\.\d+\/24/)
    expect(result.stdout).toMatch(/^10\.77\.0\.\d+\tme$/m)
    expect(result.published).toMatch(/inet 10\.208\.\d+\.\d+\/20/)
    expect(result).toMatchObject({
      failure: 'not-found',
      listed: [[true, 'app']],
      loopback: 'lo\n',
      left: ['bridge'],
    })
    expect(network.host.succeed(['ip', '-br', 'link'])).not.toContain('veth')
  })
})
