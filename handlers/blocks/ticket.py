from handlers.blocks import kit
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import takes
def card(view):
    b=[kit.button(x, f"ticket.{x}", view.ticket.id) for x in ("approve","reject","cancel","keep","diff","replan","rollback","retry")]
    f=view.ticket.failure
    return Message("x", [kit.header(f"Ticket {view.ticket.id}: remove {takes(view)} from {view.name}"[:150]), kit.rich(kit.section(kit.text(f"{view.ticket.state} moved={[ (m.what,m.name,m.detail) for m in view.ticket.moved]} failure={f and (f.code,f.call,f.message)} entries={[(e.step.operation.value, e.state.value) for e in view.run]}"))), kit.actions(*b)])
minimal=card
