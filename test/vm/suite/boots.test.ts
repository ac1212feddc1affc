/** The machine is what the other tests take it for. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('has cgroup v2 alone, with every controller', () => {
  const mounts = readFileSync('/proc/mounts', 'utf8')
  expect(mounts).toMatch(/^\S+ \/sys\/fs\/cgroup cgroup2 /m)
  expect(mounts).not.toMatch(/^\S+ \S+ cgroup /m)
  const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ')
  expect(controllers).toEqual(
    expect.arrayContaining(['cpuset', 'cpu', 'io', 'memory', 'pids', 'rdma', 'misc']),
  )
})

it('is run by systemd', () => {
  expect(readFileSync('/proc/1/comm', 'utf8')).toBe('systemd\n')
})
