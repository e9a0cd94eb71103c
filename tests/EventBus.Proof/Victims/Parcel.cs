namespace EventBus.Proof;

/// <summary>What the sagas under proof remember.</summary>
internal record Parcel(long Number)
{
    /// <summary>The step that publishes a question and waits for its answer.</summary>
    public const string Ask = "ask";

    public static List<string> Steps { get; } = ["pick", "pack", Ask, "pay", "ship"];

    public List<string> Done { get; init; } = [];
}

/// <summary>These get no reply in time.</summary>
internal sealed record ExpressParcel(long Number) : Parcel(Number);

/// <summary>A parcel is to be shipped: its handler starts the saga.</summary>
[EventName("parcel.ordered")]
internal sealed record ParcelOrdered(long Number);

[EventName("question.asked")]
internal sealed record Question(long Number);

[EventName("answer.given")]
internal sealed record Answer(long Number, int Copy);

/// <summary>The saga under proof: five steps, all of which can be undone.</summary>
internal abstract class Shipping<TParcel>(ParcelServices services, TimeSpan patience) : Saga<TParcel>
    where TParcel : Parcel
{
    private const int Retries = 2;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan StepTime = TimeSpan.FromSeconds(1.5);

    protected internal override void Define(SagaBuilder<TParcel> saga)
    {
        foreach (var name in Parcel.Steps)
        {
            var step = saga.Step(name, services.ExecuteAsync, services.CompensateAsync)
                .Retry(Retries, FirstDelay)
                .RetryCompensation(Retries, FirstDelay)
                .Timeout(StepTime)
                .RejectedBy<RejectedException>();
            if (name == Parcel.Ask)
            {
                step.WaitFor<Answer>(patience, services.LookAtAsync);
            }
        }
    }
}

internal sealed class ShipParcel(ParcelServices services) : Shipping<Parcel>(services, TimeSpan.FromMinutes(10));

internal sealed class ShipExpress(ParcelServices services) : Shipping<ExpressParcel>(services, TimeSpan.FromSeconds(1));

/// <summary>Starts a saga under the number of its event, however often that comes.</summary>
internal sealed class TakeOrder(ISagas sagas) : IEventHandler<ParcelOrdered>
{
    public Task HandleAsync(ParcelOrdered @event, EventContext context, CancellationToken cancellationToken) =>
        sagas.StartAsync(new Parcel(@event.Number), Numbers.ToId(@event.Number), cancellationToken);
}

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

/// <summary>The service says no.</summary>
internal sealed class RejectedException() : Exception("no");
