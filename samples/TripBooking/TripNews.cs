using EventBus;

namespace TripBooking;

/// <summary>
/// Receives the result of each trip. Every saga publishes it by itself. A failure names the type of the exception and
/// not its text, which may name a traveller: this event is sent to every subscription, in any program.
/// </summary>
public sealed class TripNews(Timeline timeline) : IEventHandler<SagaCompleted>, IEventHandler<SagaFailed>
{
    public Task HandleAsync(SagaCompleted trip, EventContext context, CancellationToken cancellationToken)
    {
        timeline.Add(context.EventName, $"{trip.SagaId} is booked");
        return Task.CompletedTask;
    }

    public Task HandleAsync(SagaFailed trip, EventContext context, CancellationToken cancellationToken)
    {
        var undone = string.Join(", ", trip.Compensated);
        timeline.Add(context.EventName, $"{trip.SagaId} failed at {trip.FailedStep} with {trip.Error}, undone: {undone}");
        return Task.CompletedTask;
    }
}
