using System.Collections.Concurrent;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures one step of a saga with the store in memory: sagas of ten empty steps, all started at once, from their
/// start to their end, divided by the number of steps.
/// </summary>
/// <remarks>
/// A tenth of the cost of a saga (start, first and last write, wait for its end) is included, and so are the events of
/// steps, which have no subscription. The baseline awaits the same
/// steps and stores the state as JSON in a dictionary after each, as code must that resumes at the same step. Ended
/// sagas are kept, so each iteration begins with a new bus.
/// </remarks>
[MemoryDiagnoser]
public class SagaSteps
{
    private const int Sagas = 500;

    private IHost? host;
    private ISagas? sagas;

    [IterationSetup]
    public void Start()
    {
        // The setup of an iteration is synchronous, and not measured.
        host = Workload.StartAsync(bus => bus.UseInMemory().AddSaga<IdleSaga, IdleState>()).GetAwaiter().GetResult();
        sagas = host.Services.GetRequiredService<ISagas>();
    }

    [IterationCleanup]
    public void Stop() => Workload.StopAsync(host).GetAwaiter().GetResult();

    [Benchmark(Baseline = true, OperationsPerInvoke = Sagas * IdleSaga.Steps)]
    public Task ByHand()
    {
        var kept = new ConcurrentDictionary<string, byte[]>();
        return Task.WhenAll(Enumerable.Range(0, Sagas).Select(number => Task.Run(() => RunByHandAsync(kept, number))));
    }

    [Benchmark(OperationsPerInvoke = Sagas * IdleSaga.Steps)]
    public Task Saga() => Task.WhenAll(Enumerable.Range(0, Sagas).Select(number => Task.Run(() => RunSagaAsync(number))));

    private static async Task RunByHandAsync(ConcurrentDictionary<string, byte[]> kept, int number)
    {
        var id = Guid.CreateVersion7().ToString();
        kept[id] = JsonSerializer.SerializeToUtf8Bytes(new IdleState(number));
        for (var step = 0; step < IdleSaga.Steps; step++)
        {
            var state = JsonSerializer.Deserialize<IdleState>(kept[id])!;
            await IdleSaga.DoNothingAsync();
            kept[id] = JsonSerializer.SerializeToUtf8Bytes(state);
        }
    }

    private async Task RunSagaAsync(int number)
    {
        var result = await sagas!.RunAsync(new IdleState(number));
        if (!result.IsCompleted)
        {
            throw new InvalidOperationException($"The saga {result.Id} ended as {result.Status}: {result.Error}");
        }
    }
}
