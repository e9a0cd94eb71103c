using EventBus;

namespace TripBooking;

/// <summary>Receives the result of each trip. Every saga publishes it by itself.</summary>
public sealed class TripNews(Timeline timeline) : IEventHandler<SagaCompleted>, IEventHandler<SagaFailed>
{
    public Task HandleAsync(SagaCompleted trip, EventContext context, CancellationToken cancellationToken)
    {
        timeline.Add(context.EventName, $"{trip.SagaId} is booked");
        return Task.CompletedTask;
    }

    public Task HandleAsync(SagaFailed trip, EventContext context, CancellationToken cancellationToken)
    {
        timeline.Add(context.EventName, $"{trip.SagaId} failed at {trip.FailedStep}, undone: {string.Join(", ", trip.Compensated)}");
        return Task.CompletedTask;
    }
}
