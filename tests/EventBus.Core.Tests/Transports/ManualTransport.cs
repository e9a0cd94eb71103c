using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>A transport whose publish calls are answered by the test.</summary>
internal sealed class ManualTransport : ScriptedTransport
{
    private readonly Channel<Attempt> attempts = Channel.CreateUnbounded<Attempt>();

    /// <summary>True if a call waits for its answer.</summary>
    public bool HasAttempt => attempts.Reader.TryPeek(out _);

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var attempt = new Attempt([.. batch.ToArray().Select(envelope => envelope.Id)]);
        attempts.Writer.TryWrite(attempt);
        var answers = await attempt.Answered.WaitAsync(CancellationToken.None);
        answers.CopyTo(outcomes);
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(new ScriptedReceiver(_ => { }));

    /// <summary>Returns the next publish call.</summary>
    public Task<Attempt> NextAsync() =>
        attempts.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(RunningBus.Patience);

    /// <summary>Returns the next publish call, and asserts that it publishes these ids.</summary>
    public async Task<Attempt> NextAsync(params string[] ids)
    {
        var attempt = await NextAsync();
        Assert.Equal(ids, attempt.Ids);
        return attempt;
    }

    internal sealed class Attempt(IReadOnlyList<string> ids)
    {
        private readonly TaskCompletionSource<PublishOutcome[]> answered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IReadOnlyList<string> Ids => ids;

        public Task<PublishOutcome[]> Answered => answered.Task;

        public void Answer(params PublishOutcome[] outcomes) => answered.SetResult(outcomes);
    }
}
