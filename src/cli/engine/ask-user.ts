/** Questions to the person at the terminal. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { TsrunError } from '../../errors.ts'

const MAX_INPUT = 64 * 1024

/** One line, shown while it is typed. */
export async function askText(question: string): Promise<string> {
  return await ask(question, process.stderr)
}

/** One line that the terminal does not show. */
export async function askSecret(question: string): Promise<string> {
  process.stderr.write(question)
  // readline echoes to its output, in raw mode: this one swallows it.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  try {
    return await ask('', nowhere)
  } finally {
    process.stderr.write('\n')
  }
}

async function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  const stopped = new AbortController()
  lines.once('SIGINT', () => stopped.abort())
  lines.once('close', () => stopped.abort())
  try {
    return await lines.question(question, { signal: stopped.signal })
  } catch (cause) {
    throw new TsrunError('failed-precondition', 'cannot go on: the question has no answer', {
      cause,
    })
  } finally {
    lines.close()
  }
}

/** All of a short input. */
export async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    length += bytes.length
    if (length > MAX_INPUT)
      throw new TsrunError('invalid-argument', `cannot read more than ${MAX_INPUT} bytes of input`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}
