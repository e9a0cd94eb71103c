using EventBus;

namespace TripBooking;

/// <summary>Called when a saga cannot go on by itself, as for events that failed for good: somebody has to look.</summary>
public sealed class PageTheOpsTeam(Timeline timeline) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
    {
        timeline.Add("pager", alert.First.Reason == DeadLetterReason.SagaNeedsAttention
            ? $"{alert.First.Subscription} {alert.First.EventId} needs attention: {alert.First.Error}"
            : $"{alert.First.Subscription} gave up on {alert.First.EventName}: {alert.First.Error}");
        return Task.CompletedTask;
    }
}
