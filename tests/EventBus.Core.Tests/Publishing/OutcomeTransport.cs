using EventBus.Transports;

namespace EventBus;

/// <summary>A transport that delivers nothing, and whose answers a test sets.</summary>
internal sealed class OutcomeTransport : ScriptedTransport
{
    /// <summary>Answers an event. May throw. Default: accepts it.</summary>
    public Func<Envelope, PublishOutcome> Answer { get; set; } = _ => PublishOutcome.Accepted;

    /// <summary>The answers wait for this. Default: completed.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        await Gate.WaitAsync(deadline);
        await Task.Yield();
        for (var i = 0; i < batch.Length; i++)
        {
            outcomes.Span[i] = Answer(batch.Span[i]);
        }
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(new ScriptedReceiver(_ => { }));
}
