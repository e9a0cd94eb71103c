using EventBus;

namespace Checkout;

/// <summary>Pages the operators when an event has failed for good, after its last retry.</summary>
public sealed class PageTheOpsTeam(IPager pager) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
        pager.PageAsync(alert.Summary, cancellationToken);
}
