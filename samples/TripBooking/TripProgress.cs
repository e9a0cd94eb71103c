using EventBus;

namespace TripBooking;

#region progress
/// <summary>
/// Shows how far each trip is. Each event names its step, so that a copy or a late event shows nothing wrong.
/// </summary>
public sealed class TripProgress(Timeline timeline) : IEventHandler<SagaStepCompleted>
{
    private static readonly string[] Steps = ["flight", "hotel", "payment", "confirmation"];

    public Task HandleAsync(SagaStepCompleted done, EventContext context, CancellationToken cancellationToken)
    {
        var number = Array.IndexOf(Steps, done.Step) + 1;
        timeline.Add(context.EventName, $"{done.SagaId}: {done.Step} is done, {number} of {Steps.Length}");
        return Task.CompletedTask;
    }
}
#endregion
