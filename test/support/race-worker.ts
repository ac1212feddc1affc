/**
 * One of several processes that race on one container: `node race-worker.mjs <root> <bundle>` does what
 * each line of its input says, and answers each with a line.
 */
import { openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TsrunError } from '../../src/errors.ts'
import { createContainer } from '../../src/runtime/create.ts'
import { deleteContainer } from '../../src/runtime/delete.ts'
import { killContainer } from '../../src/runtime/kill.ts'
import { startContainer } from '../../src/runtime/start.ts'
import { containerState } from '../../src/runtime/state.ts'
import { ownDescriptors } from './own-descriptors.ts'

export interface Order {
  readonly verb: keyof typeof VERBS
  readonly id: string
}

/** `value` is the status for `state`; a failure has the kind and the sentence. */
export interface Outcome {
  readonly value?: string
  readonly kind?: string
  readonly message?: string
}

const [root = '', bundle = ''] = process.argv.slice(2)
const sink = openSync('/dev/null', 'r+')
const SIGKILL = 9

const VERBS = {
  create: async (id: string) => {
    await createContainer({ root, id, bundle, stdio: [sink, sink, sink] })
  },
  start: async (id: string) => await startContainer(root, id),
  kill: async (id: string) => await killContainer(root, id, SIGKILL),
  delete: async (id: string) => {
    await deleteContainer(root, id, false)
  },
  'delete --force': async (id: string) => {
    await deleteContainer(root, id, true)
  },
  state: async (id: string) => (await containerState(root, id)).status,
  descriptors: async () => ownDescriptors().join('\n'),
} as const satisfies Record<string, (id: string) => Promise<unknown>>

for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line)
  process.stdout.write(`${JSON.stringify(await obey(order))}\n`)
}

async function obey({ verb, id }: Order): Promise<Outcome> {
  try {
    const value = await VERBS[verb](id)
    return typeof value === 'string' ? { value } : {}
  } catch (error) {
    if (error instanceof TsrunError) return { kind: error.kind, message: error.message }
    return { kind: 'not a TsrunError', message: String(error) }
  }
}
