/**
 * Teaches swc's tree visitor, with which dependency-cruiser looks for imports, the statement that it does not know:
 * `using` and `await using` declarations. swc parses them; without this its visitor throws at the first one.
 */
import type { Statement, VariableDeclarator } from '@swc/core';
import { Visitor } from '@swc/core/Visitor.js';

interface UsingDeclaration {
  readonly type: 'UsingDeclaration';
  decls: VariableDeclarator[];
}

const { visitStatement } = Visitor.prototype;

Visitor.prototype.visitStatement = function (statement: Statement | UsingDeclaration): Statement {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement as unknown as Statement;
};
