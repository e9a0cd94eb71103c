using EventBus;

namespace TripBooking;

/// <summary>Pages the operators when a saga needs attention, or when an event has failed for good.</summary>
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
