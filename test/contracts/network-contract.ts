/** What every kind of `--network` must do for a container: join, have what is its own, leave, and leave nothing. */
import { readlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { NetworkHost } from '../support/network-host.ts'
import { until } from '../support/until.ts'

export interface NetworkKind {
  /** The options of `run` that put a container there. */
  readonly options: () => readonly string[]
  /** Whose namespace it is in: one of its own, or the one behind this file. */
  readonly namespace: 'own' | (() => string)
  /** What `ip -o addr` shows beside the loopback interface; undefined: nothing. */
  readonly address?: RegExp
  /** What it reaches by ICMP, and what it does not. */
  readonly reaches: readonly string[]
  readonly misses: readonly string[]
}

/** `host` has the busybox image; nobody else uses it meanwhile. */
export function networkContract(name: string, host: () => NetworkHost, kind: NetworkKind): void {
  const start = (container: string): number => {
    const place = ['--name', container, '--stop-timeout', '0', ...kind.options()]
    host().tsrun('run', '-d', ...place, 'busybox', 'sleep', '1000')
    return Number(host().tsrun('inspect', '-f', '{{.State.Pid}}', container))
  }
  /** Its namespace, its loopback interface, and its other addresses. */
  const look = (container: string) => {
    const script =
      'readlink /proc/self/ns/net; ip link show lo; echo +; ip -o addr | grep -v " lo "'
    const [first = '', addresses = ''] = host().inside(container, `${script}; true`).split('+\n')
    const [namespace, ...loopback] = first.split('\n')
    return { namespace, loopback: loopback.join('\n'), addresses }
  }

  describe(`--network ${name}`, () => {
    it('joins the right namespace and gives what is its own, to two containers not the same', () => {
      start('first')
      start('second')
      const [first, second] = [look('first'), look('second')]
      expect(first.loopback).toContain('LOOPBACK,UP')
      if (kind.namespace !== 'own') expect(first.namespace).toBe(readlinkSync(kind.namespace()))
      else expect(new Set([first, second].map(({ namespace }) => namespace)).size).toBe(2)
      if (kind.address === undefined) expect(first.addresses).toBe('')
      else expect(first.addresses).toMatch(kind.address)
      expect(first.addresses === second.addresses).toBe(
        kind.namespace !== 'own' || kind.address === undefined,
      )
      const all = [...kind.reaches, ...kind.misses]
      const pings = all.map((one) => `(ping -c 1 -W 2 ${one} >&2 && echo ${one}) &`)
      const reached = host()
        .inside('first', `${pings.join('\n')}\nwait`)
        .split('\n')
      expect(reached.filter(Boolean).sort()).toEqual([...kind.reaches].sort())
    })

    it('comes back after kill -9 of its init, and leaves nothing, also when it leaves twice', async () => {
      host().tsrun('rm', '-f', 'second')
      process.kill(Number(host().tsrun('inspect', '-f', '{{.State.Pid}}', 'first')), 'SIGKILL')
      host().tsrun('wait', 'first')
      const id = host().tsrun('inspect', '-f', '{{.Id}}', 'first')
      await until(
        () => `what it had is taken back: ${host().traces()}`,
        () => !host().traces().includes(id),
      )
      const before = host().traces()
      host().tsrun('start', 'first')
      if (kind.address !== undefined) expect(look('first').addresses).toMatch(kind.address)
      host().tsrun('stop', '-t', '0', 'first', 'first')
      host().tsrun('rm', '-f', 'first')
      const refused = ['run', '--rm', ...kind.options(), 'busybox', '/no/such/program']
      expect(host().failure(...refused)).toContain('/no/such/program')
      await until(
        () => `nothing is left of it: ${host().traces()}\nnot\n${before}`,
        () => host().traces() === before,
      )
    })
  })
}
