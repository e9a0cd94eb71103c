namespace EventBus.Proof;

/// <summary>
/// Answers questions, some of them twice, some of them at once. What the handler publishes has the correlation id of
/// its question, which is the saga's id.
/// </summary>
internal sealed class AnswerQuestion(IReadOnlyList<SagaPlan> plans) : IEventHandler<Question>
{
    private static readonly TimeSpan Thought = TimeSpan.FromMilliseconds(30);

    public async Task HandleAsync(Question @event, EventContext context, CancellationToken cancellationToken)
    {
        if (plans[(int)@event.Number].IsExpress)
        {
            return;
        }

        await (@event.Number % 4 == 0 ? Task.CompletedTask : RealTime.PassAsync(Thought, cancellationToken));
        await context.PublishAsync(new Answer(@event.Number, 1), cancellationToken);
        if (@event.Number % 5 == 0)
        {
            await context.PublishAsync(new Answer(@event.Number, 2), cancellationToken);
        }
    }
}
