/** What is wrong with a --format template. */
import { TsrunError } from '../errors.ts'

/** The error for a template that cannot be understood or applied. */
export function templateError(detail: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot use the format template: ${detail}`, {
    hint: 'it is a template of Go, such as {{.Name}}; json shows all fields',
  })
}
