using EventBus;

namespace Checkout;

/// <summary>Called once an event has failed for good, after the last retry: somebody has to look.</summary>
public sealed class PageTheOpsTeam(IPager pager) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
        pager.PageAsync(
            alert.Count == 1
                ? $"{alert.First.Subscription} gave up on {alert.First.EventName} after {alert.First.Attempts} starts"
                : $"{alert.First.Subscription} gave up on {alert.Count} events {alert.First.EventName}",
            cancellationToken);
}
