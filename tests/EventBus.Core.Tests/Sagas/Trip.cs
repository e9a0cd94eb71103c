using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Sagas;

/// <summary>The state of the sagas that are tested.</summary>
internal sealed record Trip(string Traveller)
{
    public List<string> Done { get; init; } = [];
}

/// <summary>What the steps of a test do, and what they were asked for.</summary>
internal sealed class Script
{
    private readonly Dictionary<string, int> failing = [];
    private readonly List<string> calls = [];

    public Func<string, SagaContext<Trip>, CancellationToken, Task>? Doing { get; set; }

    public Exception Error { get; set; } = new InvalidOperationException("planned");

    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (calls)
            {
                return [.. calls];
            }
        }
    }

    /// <summary>Lets a step fail so many times.</summary>
    public void Fail(string step, int times) => failing[step] = times;

    public async Task RunAsync(string step, SagaContext<Trip> context, CancellationToken cancellationToken)
    {
        bool fails;
        lock (calls)
        {
            calls.Add($"{step} {context.IdempotencyKey}");
            fails = failing.TryGetValue(step, out var left) && left > 0;
            failing[step] = left - 1;
        }

        if (Doing is { } doing)
        {
            await doing(step, context, cancellationToken);
        }

        if (fails)
        {
            throw Error;
        }

        if (step[0] == '+')
        {
            context.State.Done.Add(context.Step);
        }
    }
}

internal sealed class BookTrip(Script script) : Saga<Trip>
{
    protected internal override void Define(SagaBuilder<Trip> saga)
    {
        foreach (var name in (string[])["flight", "hotel", "payment"])
        {
            saga.Step(name, (context, ct) => script.RunAsync($"+{name}", context, ct), (context, ct) => script.RunAsync($"-{name}", context, ct)).Retry(0).RetryCompensation(0);
        }
    }
}

internal static class SagaBusExtensions
{
    public static ISagas Sagas(this RunningBus bus) => bus.Services.GetRequiredService<ISagas>();
}
