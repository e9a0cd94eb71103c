using EventBus;

namespace Checkout;

/// <summary>Called once an event has failed for good, after the last retry: somebody has to look.</summary>
public sealed class PageTheOpsTeam(IPager pager) : IDeadLetterAlert
{
    public Task AlertAsync(DeadLetter deadLetter, CancellationToken cancellationToken) =>
        pager.PageAsync($"{deadLetter.Subscription} gave up on {deadLetter.EventName} after {deadLetter.Starts} starts", cancellationToken);
}
