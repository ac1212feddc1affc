/** Errors as runc words them, for callers and scripts that look for its first words behind a link named runc. */
import { describeError } from '../../errors.ts'
import { PlanError } from '../../runtime/explain-failure.ts'

const OWN_BEGINNING = /^cannot create container "[^"]*": /
const BEFORE_THE_PROGRAM = 'unable to start container process: '

/** The sentence of describeError() for an error of `verb`, begun with runc's words. */
export function describeAsRunc(error: unknown, verb: string | undefined): string {
  const sentence = describeError(error)
  if (verb !== 'create' && verb !== 'run') return sentence
  const beginning = `runc ${verb} failed: `
  const rest = sentence.replace(OWN_BEGINNING, '')
  const isOfInit = error instanceof Error && error.cause instanceof PlanError
  if (!isOfInit || rest.startsWith(BEFORE_THE_PROGRAM)) return beginning + rest
  return `${beginning}${BEFORE_THE_PROGRAM}error during container init: ${rest}`
}
