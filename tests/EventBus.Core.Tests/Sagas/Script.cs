namespace EventBus.Sagas;

/// <summary>Defines the behavior of the steps in a test, and records their calls.</summary>
internal sealed class Script
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, int> failing = [];
    private readonly List<string> calls = [];
    private readonly List<string> keys = [];
    private readonly List<string> effects = [];

    /// <summary>Called at the beginning of each step.</summary>
    public Func<string, SagaContext<Trip>, CancellationToken, Task>? Doing { get; set; }

    public Exception Error { get; set; } = new InvalidOperationException("planned");

    /// <summary>The calls: <c>+flight</c> for an execution, <c>-flight</c> for a compensation.</summary>
    public IReadOnlyList<string> Calls => Copy(calls);

    /// <summary>The idempotency keys of the calls.</summary>
    public IReadOnlyList<string> Keys => Copy(keys);

    /// <summary>The calls without repetitions of an idempotency key, as a service would execute them.</summary>
    public IReadOnlyList<string> Effects => Copy(effects);

    /// <summary>Makes a call fail a number of times.</summary>
    public void Fail(string run, int times = int.MaxValue) => failing[run] = times;

    public async Task RunAsync(string run, SagaContext<Trip> context, CancellationToken cancellationToken)
    {
        bool fails;
        lock (gate)
        {
            calls.Add(run);
            if (!keys.Contains(context.IdempotencyKey))
            {
                effects.Add(run);
            }

            keys.Add(context.IdempotencyKey);
            fails = failing.TryGetValue(run, out var left) && left > 0;
            failing[run] = left - 1;
        }

        await (Doing?.Invoke(run, context, cancellationToken) ?? Task.CompletedTask);
        context.State.Done.Add(run);
        if (fails)
        {
            throw Error;
        }
    }

    private IReadOnlyList<string> Copy(List<string> list)
    {
        lock (gate)
        {
            return [.. list];
        }
    }
}
