using EventBus;

namespace TripBooking;

/// <summary>Sends the confirmation, and answers the saga: what a handler publishes carries the saga's id, by which the answer is recognised. It could as well be another program.</summary>
public sealed class SendConfirmation(MailService mail) : IEventHandler<ConfirmationRequested>
{
    public async Task HandleAsync(ConfirmationRequested request, EventContext context, CancellationToken cancellationToken)
    {
        await mail.SendAsync(request.TripId, request.IdempotencyKey, cancellationToken);
        await context.PublishAsync(new ConfirmationSent(request.TripId), cancellationToken);
    }
}
