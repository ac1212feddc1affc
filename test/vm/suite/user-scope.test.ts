/** A user without root gets scopes with limits from their own systemd, in what is delegated to them. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { requireCgroups } from '../../../src/cgroup/detect.ts'
import { planScope } from '../../../src/cgroup/systemd-manager.ts'

const USER = 1000
const RUNTIME_DIRECTORY = `/run/user/${USER}`

// This file has a process of its own, which is the user's from here on.
beforeAll(async () => {
  spawnSync('loginctl', ['enable-linger', 'user'])
  for (let i = 0; !existsSync(`${RUNTIME_DIRECTORY}/bus`) && i < 300; i++)
    await new Promise((resolve) => setTimeout(resolve, 100))
  process.env.XDG_RUNTIME_DIR = RUNTIME_DIRECTORY
  delete process.env.DBUS_SESSION_BUS_ADDRESS
  process.setgid?.(USER)
  process.setuid?.(USER)
})

function plan(id: string) {
  const cgroupsPath = `:contract:${id}`
  return planScope(requireCgroups(), { id, cgroupsPath, annotations: {} })
}

it('makes, limits and removes a scope below the user’s own systemd', async () => {
  const resources = { memory: { limit: 67_108_864 }, pids: { limit: 30 } }
  const manager = await plan('user')
  const { path, scope } = manager.place
  expect(scope).toEqual({ unit: 'contract-user.scope', manager: 'user' })
  expect(path).toBe(
    `/sys/fs/cgroup/user.slice/user-${USER}.slice/user@${USER}.service/user.slice/contract-user.scope`,
  )
  await manager.create(resources)
  manager.limit(resources)
  expect(readFileSync(join(path, 'memory.max'), 'utf8')).toBe('67108864\n')
  expect(readFileSync(join(path, 'pids.max'), 'utf8')).toBe('30\n')
  await manager.remove()
  expect(existsSync(path)).toBe(false)
})

it('names the controller that is not delegated, and the line that delegates it', async () => {
  const manager = await plan('undelegated')
  await manager.create({})
  try {
    expect(() => manager.limit({ rdma: { mlx5_0: { hcaHandles: 1 } } })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^cannot enable the rdma controller in \/sys\/fs\/cgroup/),
        hint: expect.stringContaining('Delegate='),
      }),
    )
  } finally {
    await manager.remove()
  }
})

it('says how to get a session where there is none', async () => {
  process.env.XDG_RUNTIME_DIR = '/nonexistent'
  await expect(plan('nowhere')).rejects.toMatchObject({
    message: 'cannot find systemd of this user: there is no /nonexistent/bus',
    hint: expect.stringContaining('loginctl enable-linger'),
  })
})
