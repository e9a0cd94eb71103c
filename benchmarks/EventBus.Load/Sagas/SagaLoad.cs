using System.Diagnostics;
using EventBus.Proof;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Load;

/// <summary>
/// Measures sagas with empty steps: the writes of the store, compared with the writes that it can do at most.
/// </summary>
internal static class SagaLoad
{
    public const int AtOnce = 64;

    public static async Task RunAsync(bool isShort)
    {
        Console.WriteLine();
        Console.WriteLine($"Sagas of {IdleSaga.Steps} empty steps, {AtOnce} at once; in memory as transport, without subscriptions");
        var time = TimeSpan.FromSeconds(isShort ? 1 : 10);
        using var folder = new ScratchFolder();
        await using var server = new PrivateRedis(Path.Combine(folder.Path, "redis"));
        await server.StartAsync();

        var memory = await MeasureAsync(bus => bus.StoreInMemory(options => options.StoreCapacity = 10_000_000), isShort ? 5_000 : 100_000);
        Print("in memory", memory);

        var sqlite = await MeasureAsync(
            bus => bus.StoreInSqlite($"Data Source={Path.Combine(folder.Path, "sagas.db")}"),
            isShort ? 300 : 10_000);
        Print("SQLite, full sync", sqlite);
        foreach (var group in (int[])[1, AtOnce])
        {
            Compare(
                $"raw SQLite, {group} to a transaction",
                RawSagaWrites.Sqlite(Path.Combine(folder.Path, $"raw-{group}.db"), group, sqlite.BytesPerWrite, time),
                sqlite);
        }

        var redis = await MeasureAsync(bus => bus.StoreInRedis(server.Address), isShort ? 1_000 : 20_000);
        Print("Redis, appendfsync everysec", redis);
        Compare("raw Redis, HSET", await RawSagaWrites.RedisAsync(server.Address, isScript: false, redis.BytesPerWrite, time), redis);
        Compare(
            "raw Redis, EVALSHA of a compare-and-swap",
            await RawSagaWrites.RedisAsync(server.Address, isScript: true, redis.BytesPerWrite, time),
            redis);
    }

    private static async Task<SagaFigures> MeasureAsync(Action<EventBusBuilder> store, int sagas)
    {
        CountedSagaStore? counted = null;
        using var host = await Workload.StartAsync(bus =>
        {
            bus.UseInMemory().AddSaga<IdleSaga, IdleState>();
            store(bus);
            bus.Configure(options => options.Sagas.Concurrency = AtOnce);
            Buses.WrapStores(bus, stores => new ProofStores(stores, sagas: counted = new CountedSagaStore(stores.Sagas!)));
        });
        var client = host.Services.GetRequiredService<ISagas>();
        await RunAsync(client, AtOnce, "warm");
        var (writes, bytes) = (counted!.Writes, counted.Bytes);
        var startedAt = Stopwatch.GetTimestamp();
        await RunAsync(client, sagas, "run");
        var elapsed = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
        await host.StopAsync();
        return new SagaFigures(
            sagas / elapsed,
            (counted.Writes - writes) / elapsed,
            (counted.Writes - writes) / (double)sagas,
            (int)((counted.Bytes - bytes) / (counted.Writes - writes)));
    }

    private static async Task RunAsync(ISagas client, int sagas, string name)
    {
        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var number && number <= sagas)
            {
                var result = await client.RunAsync(new IdleState(number), $"{name}-{number}");
                if (!result.IsCompleted)
                {
                    throw new InvalidOperationException($"The saga {result.Id} ended as {result.Status}: {result.Error}");
                }
            }
        })));
    }

    private static void Print(string name, SagaFigures figures) =>
        Console.WriteLine($"  {name,-42} {figures.SagasPerSecond,9:N0} sagas/s {figures.WritesPerSecond,9:N0} writes/s "
            + $"{figures.WritesPerSaga,5:0.0} writes a saga {figures.BytesPerWrite,6:N0} B a write");

    private static void Compare(string name, double rawPerSecond, SagaFigures figures) =>
        Console.WriteLine(
            $"    {name,-40} {"",17} {rawPerSecond,9:N0} writes/s; sagas write at {figures.WritesPerSecond / rawPerSecond:0.00} of that");

    /// <param name="SagasPerSecond">Sagas that ended in a second.</param>
    /// <param name="WritesPerSecond">Writes of the store in a second.</param>
    /// <param name="WritesPerSaga">Writes for each saga.</param>
    /// <param name="BytesPerWrite">The size of the content of a write.</param>
    private sealed record SagaFigures(double SagasPerSecond, double WritesPerSecond, double WritesPerSaga, int BytesPerWrite);
}

internal sealed record IdleState(int Number);

internal sealed class IdleSaga : Saga<IdleState>
{
    public const int Steps = 5;

    protected override void Define(SagaBuilder<IdleState> saga)
    {
        for (var step = 1; step <= Steps; step++)
        {
            saga.Step($"step-{step}", (_, _) => Task.CompletedTask, (_, _) => Task.CompletedTask);
        }
    }
}
