using System.Data.Common;

namespace EventBus;

/// <summary>
/// Represents the context of a handler that is tested in isolation. Collects the events that the handler publishes, and
/// sends none.
/// </summary>
internal sealed class CollectingEventContext(TestEventContextOptions given) : EventContext
{
    private readonly List<object> published = [];
    private readonly List<Func<DbTransaction, CancellationToken, Task>> effects = [];

    public override string EventId => given.EventId;

    public override string EventName => given.EventName;

    public override int EventVersion => given.EventVersion;

    public override string? Key => given.Key;

    public override DateTimeOffset Time => given.Time;

    public override IReadOnlyDictionary<string, string> Headers => given.Headers;

    public override string CorrelationId => given.CorrelationId ?? given.EventId;

    public override string? CausationId => given.CausationId;

    public override string? Source => given.Source;

    public override string Subscription => given.Subscription;

    public override int Attempt => given.Attempt;

    public override bool IsManualRetry => given.IsManualRetry;

    public override string IdempotencyKey => $"{Subscription}~{EventId}";

    public override long FencingToken => given.FencingToken;

    public override object? Event => given.Event;

    public override ReadOnlyMemory<byte> Body => given.Body;

    public override IServiceProvider Services => given.Services ?? throw new InvalidOperationException(
        $"This context has no services. Set {nameof(TestEventContextOptions)}.{nameof(TestEventContextOptions.Services)}.");

    public override IReadOnlyList<object> Published => published;

    public override IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> CommitEffects => effects;

    public override Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(@event);
        cancellationToken.ThrowIfCancellationRequested();
        if (published.Count >= MaxPublished)
        {
            throw TooManyPublished();
        }

        published.Add(@event);
        return Task.CompletedTask;
    }

    public override void OnCommit(Func<DbTransaction, CancellationToken, Task> effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        effects.Add(effect);
    }
}
