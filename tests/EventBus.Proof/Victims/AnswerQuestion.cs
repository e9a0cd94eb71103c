namespace EventBus.Proof;

/// <summary>
/// Replies to questions, to some of them twice and to some at once. The events that the handler publishes have the
/// correlation id of the question, which is the id of the saga.
/// </summary>
internal sealed class AnswerQuestion(IReadOnlyList<SagaPlan> plans) : IEventHandler<Question>
{
    private static readonly TimeSpan ReplyDelay = TimeSpan.FromMilliseconds(30);

    public async Task HandleAsync(Question @event, EventContext context, CancellationToken cancellationToken)
    {
        if (plans[(int)@event.Number].IsExpress)
        {
            return;
        }

        await (@event.Number % 4 == 0 ? Task.CompletedTask : RealTime.PassAsync(ReplyDelay, cancellationToken));
        await context.PublishAsync(new Answer(@event.Number, 1), cancellationToken);
        if (@event.Number % 5 == 0)
        {
            await context.PublishAsync(new Answer(@event.Number, 2), cancellationToken);
        }
    }
}
