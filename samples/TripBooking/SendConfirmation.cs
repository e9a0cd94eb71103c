using EventBus;

namespace TripBooking;

/// <summary>
/// Sends the confirmation, and answers the saga. Events published by a handler carry the saga's id, by which the reply
/// is matched. The handler could run in another program as well.
/// </summary>
public sealed class SendConfirmation(MailService mail) : IEventHandler<ConfirmationRequested>
{
    public async Task HandleAsync(ConfirmationRequested request, EventContext context, CancellationToken cancellationToken)
    {
        // A refusal is an answer and not a failure of this handler: a retry would not change it.
        var isSent = await mail.TrySendAsync(request.TripId, request.IdempotencyKey, cancellationToken);
        await context.PublishAsync(new ConfirmationAnswered(request.TripId, isSent), cancellationToken);
    }
}
