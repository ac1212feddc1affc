/** The cache of `tsrun build` and the context: what of it counts, and what happens while somebody changes it. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BuildProgress, buildImage } from '../../src/index.ts'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'

describe.skipIf(missing('root', 'cgroup2'))('the build cache', () => {
  const engine = new TestEngine()
  const context = join(engine.directory, 'context')
  const file = (name: string, content: string) => {
    mkdirSync(dirname(join(context, name)), { recursive: true })
    writeFileSync(join(context, name), content)
  }
  /** What the build told; `onOutput` hears commands. */
  const eventsOf = async (text: string, onOutput?: () => void) => {
    const { dataRoot, stateRoot } = engine
    const events: BuildProgress[] = []
    await buildImage({
      ...{ dataRoot, stateRoot, network: 'none', context, dockerfile: { text } },
      onProgress: (event) => {
        events.push(event)
        if (event.type === 'output') onOutput?.()
      },
    })
    return events
  }
  const outputOf = (events: readonly BuildProgress[]) =>
    events.flatMap((event) => (event.type === 'output' ? event.bytes.toString() : [])).join('')

  beforeAll(async () => {
    await engine.loadBusybox()
    file('.dockerignore', '*.o\n')
  })
  afterAll(async () => {
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it('has no result of files that changed while they were read', async () => {
    const wait = 'echo ready; until grep -q new /in/f; do sleep 0.1; done'
    const text = `FROM busybox\nRUN --mount=type=bind,source=racy,target=/in ${wait}`
    for (const round of [1, 2]) {
      file('racy/f', 'old\n')
      const events = await eventsOf(text, () => file('racy/f', `new ${round}\n`))
      expect(outputOf(events)).toBe('ready\n')
      expect(events).toContainEqual({
        type: 'warning',
        text: expect.stringMatching(/^files of the build context changed during \[2\/2\] RUN/),
      })
    }
    // Now there is nothing to wait for, and nobody changes anything.
    expect((await eventsOf(text)).some(({ type }) => type === 'warning')).toBe(false)
    expect(outputOf(await eventsOf(text))).toBe('')
  })

  it('takes the source of a bind as a path, and knows all that it shows', async () => {
    const text = 'FROM busybox\nRUN --mount=type=bind,source=app/[id],target=/in cat /in/f.o'
    for (const content of ['one', 'two']) {
      file('app/[id]/f.o', content)
      expect(outputOf(await eventsOf(text))).toBe(content)
    }
    expect(outputOf(await eventsOf(text))).toBe('')
    await expect(eventsOf(text.replace('[id]', 'i*'))).rejects.toMatchObject({
      cause: {
        message: 'cannot mount "app/i*" of the build context: there is no such file or folder',
      },
    })
  })

  it('locks cache folders once for a command, and in one order', async () => {
    const cache = (id: string, sharing: string) =>
      `--mount=type=cache,target=/${id}-${sharing},id=${id},sharing=${sharing}`
    const run = (...mounts: readonly string[]) =>
      eventsOf(`FROM busybox\nRUN ${mounts.join(' ')} touch /a-locked/x && ls /a-shared`)
    const [shared, locked, other] = [
      cache('a', 'shared'),
      cache('a', 'locked'),
      cache('b', 'locked'),
    ]
    const all = await Promise.all([run(shared, locked, other), run(other, locked, shared)])
    expect(all.map(outputOf)).toEqual(['x\n', 'x\n'])
  })

  it('ends a command whose output nobody takes', async () => {
    const failing = eventsOf('FROM busybox\nRUN echo; echo >&2; sleep 1000', () => {
      throw new Error('enough')
    })
    await expect(failing).rejects.toMatchObject({ cause: { message: 'enough' } })
    expect(engine.succeed(['ps', '-aq'])).toBe('')
    expect(readdirSync(join(engine.dataRoot, 'containers'))).toEqual([])
  })
})
