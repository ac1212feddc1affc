/** What every CgroupManager must do: both drivers run this suite where the kernel has the controllers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { CgroupManager } from '../../src/cgroup/cgroup-manager.ts'
import { openCgroup } from '../../src/cgroup/open-cgroup.ts'

const MIB = 1024 * 1024

/** `plan` gives a manager for a new cgroup of the container `id`, which is not made yet. */
export function cgroupManagerContract(
  name: string,
  plan: (id: string) => Promise<CgroupManager>,
): void {
  describe(name, () => {
    const managers: CgroupManager[] = []
    const children: ChildProcess[] = []
    const planned = async (id: string): Promise<CgroupManager> => {
      const manager = await plan(id)
      managers.push(manager)
      return manager
    }
    // Stands for a container's init.
    const startIn = (manager: CgroupManager): ChildProcess => {
      const child = spawn('sleep', ['1000'])
      children.push(child)
      writeFileSync(join(manager.place.path, 'cgroup.procs'), String(child.pid))
      return child
    }
    const read = (manager: CgroupManager, file: string): string =>
      readFileSync(join(manager.place.path, file), 'utf8').trim()

    afterEach(async () => {
      for (const child of children.splice(0)) child.kill('SIGKILL')
      for (const manager of managers.splice(0)) await manager.remove()
    })

    it('makes nothing before create()', async () => {
      expect(existsSync((await planned('planned')).place.path)).toBe(false)
    })

    it('makes a cgroup with the limits, that keeps init and nobody else', async () => {
      const resources = { memory: { limit: 64 * MIB }, pids: { limit: 20 }, cpu: { shares: 512 } }
      const manager = await planned('made')
      await manager.create(resources)
      manager.limit(resources)
      const init = startIn(manager)
      await manager.settle()
      expect(read(manager, 'cgroup.procs')).toBe(String(init.pid))
      expect(read(manager, 'memory.max')).toBe(String(64 * MIB))
      expect(read(manager, 'pids.max')).toBe('20')
      expect(read(manager, 'cpu.weight')).toBe('59')
    })

    it('has room for init under a limit of one process', async () => {
      const resources = { pids: { limit: 1 } }
      const manager = await planned('one')
      await manager.create(resources)
      manager.limit(resources)
      startIn(manager)
      await manager.settle()
      expect(read(manager, 'pids.current')).toBe('1')
      expect(read(manager, 'pids.max')).toBe('1')
    })

    it('changes what an update has, and nothing else, also when it is opened again', async () => {
      const resources = { memory: { limit: 64 * MIB }, pids: { limit: 20 } }
      const manager = await planned('updated')
      await manager.create(resources)
      manager.limit(resources)
      startIn(manager)
      await manager.settle()
      const again = await openCgroup(manager.place)
      await again.update({ memory: { limit: 32 * MIB } })
      expect(read(manager, 'memory.max')).toBe(String(32 * MIB))
      expect(read(manager, 'pids.max')).toBe('20')
    })

    it('names controller, file, value and errno of a limit that the kernel refuses', async () => {
      const resources = { cpu: { cpus: '4000' } }
      const manager = await planned('refused')
      await manager.create({})
      expect(() => manager.limit(resources)).toThrow(
        /^cannot set a cpuset limit \(linux\.resources\.cpu\.cpus\): write "4000" to \/\S+\/cpuset\.cpus: E[A-Z]+ \(/,
      )
    })

    it('refuses a cgroup that has processes', async () => {
      const manager = await planned('taken')
      await manager.create({})
      startIn(manager)
      await manager.settle()
      await expect((await plan('taken')).create({})).rejects.toThrow('cgroup is not empty')
      expect(read(manager, 'cgroup.procs')).not.toBe('')
    })

    it('kills who is left and removes the cgroup, again and again, and can be made anew', async () => {
      for (let round = 0; round < 2; round++) {
        const manager = await planned('removed')
        await manager.create({})
        const init = startIn(manager)
        const ended = new Promise((resolve) =>
          init.once('exit', (_code, signal) => resolve(signal)),
        )
        await manager.settle()
        await manager.remove()
        await manager.remove()
        expect(await ended).toBe('SIGKILL')
        expect(existsSync(manager.place.path)).toBe(false)
      }
    })
  })
}
