using EventBus;

namespace TripBooking;

/// <summary>Pages the operators when a saga needs attention, or when an event has failed for good.</summary>
public sealed class PageTheOpsTeam(Timeline timeline) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
    {
        // The text of the error is not part of the summary: it may contain data of customers.
        timeline.Add("pager", $"{alert.Summary}; {alert.First.Error}");
        return Task.CompletedTask;
    }
}
