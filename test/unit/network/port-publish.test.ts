/** docker's forms of -p, and who gets which port. */
import { describe, expect, it } from 'vitest'
import { parseSocketTable } from '../../../src/network/open-ports.ts'
import { choosePorts, parseExpose, parsePublish } from '../../../src/network/port-publish.ts'

describe('parsePublish()', () => {
  it('reads all forms', () => {
    const port = { protocol: 'tcp', hostIp: '', containerPort: 80 }
    expect(parsePublish('80')).toEqual([{ ...port, hostPorts: undefined }])
    expect(parsePublish('8080:80')).toEqual([{ ...port, hostPorts: [8080, 8080] }])
    expect(parsePublish('127.0.0.1::80/udp')).toEqual([
      { protocol: 'udp', hostIp: '127.0.0.1', containerPort: 80, hostPorts: undefined },
    ])
    expect(parsePublish('[::1]:8080:80/SCTP')).toEqual([
      { protocol: 'sctp', hostIp: '::1', containerPort: 80, hostPorts: [8080, 8080] },
    ])
    expect(parsePublish('8000-8002:80')).toEqual([{ ...port, hostPorts: [8000, 8002] }])
    expect(parsePublish('0:80')).toEqual([{ ...port, hostPorts: undefined }])
    expect(
      parsePublish('8000-8001:80-81').map(({ hostPorts, containerPort }) => [
        hostPorts,
        containerPort,
      ]),
    ).toEqual([
      [[8000, 8000], 80],
      [[8001, 8001], 81],
    ])
  })

  it('refuses all else with one sentence', () => {
    for (const text of [
      '',
      ':',
      '0',
      '65536',
      '1:65536',
      '70000:80',
      '80/tcp/udp',
      '80/icmp',
      'a:80',
      '1.2.3:80:80',
      '::1:80:80',
      '8000-8001:80-82',
      '81-80',
      '-1',
      '80; drop',
      '1.2.3.4:5:6:7',
      '[::1]',
      '[::1',
    ])
      expect(() => parsePublish(text), text).toThrow(/^cannot publish "/)
    expect(() => parseExpose('80:80')).toThrow('cannot publish "80:80"')
    expect(parseExpose('80-81/udp')).toHaveLength(2)
  })
})

describe('choosePorts()', () => {
  const web = { protocol: 'tcp', hostIp: '', port: 8080, by: 'the container "web"' } as const

  it('names the holder', () => {
    expect(() => choosePorts(parsePublish('8080:80'), [web])).toThrow(
      'cannot publish port 8080/tcp: the container "web" has it',
    )
    expect(() => choosePorts(parsePublish('127.0.0.1:8080:80'), [web])).toThrow(
      'the container "web" has it',
    )
    expect(choosePorts(parsePublish('8080:80/udp'), [web])[0]?.hostPort).toBe(8080)
    const elsewhere = { ...web, hostIp: '10.0.0.1' }
    expect(choosePorts(parsePublish('10.0.0.2:8080:80'), [elsewhere])[0]?.hostPort).toBe(8080)
    expect(() => choosePorts(parsePublish('0.0.0.0:8080:80'), [elsewhere])).toThrow('has it')
  })

  it('takes the first free of a range, and any where none is asked for', () => {
    expect(choosePorts(parsePublish('8080-8082:80'), [web])[0]?.hostPort).toBe(8081)
    const [any] = choosePorts(parsePublish('80'), [])
    expect(any?.hostPort).toBeGreaterThanOrEqual(32_768)
    const again = choosePorts(parsePublish('80'), [{ ...web, port: any?.hostPort ?? 0 }])
    expect(again[0]?.hostPort).not.toBe(any?.hostPort)
    const both = choosePorts([...parsePublish('8000-8001:80'), ...parsePublish('8000-8001:81')], [])
    expect(both.map(({ hostPort }) => hostPort)).toEqual([8000, 8001])
  })
})

describe('parseSocketTable()', () => {
  it('reads listeners, and skips the rest and what is torn', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:1F91 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0 0 0 0 0 4713
   3: torn:zz`
    expect(parseSocketTable('tcp', text)).toEqual([
      { protocol: 'tcp', address: '127.0.0.1', port: 8080, inode: '4711' },
      { protocol: 'tcp', address: '::1', port: 22, inode: expect.any(String) },
    ])
  })
})
