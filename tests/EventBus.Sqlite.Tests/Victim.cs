using EventBus.Stores;

namespace EventBus.Sqlite.Tests;

/// <summary>A process that writes to the stores, and prints each accepted write, until it is killed.</summary>
internal static class Victim
{
    public const int Writers = 8;

    public static async Task<int> RunAsync(string file, int first)
    {
        await using var stores = await TestStores.OpenAsync(file);
        Console.WriteLine("ready");
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => WriteAsync(stores, first, writer)));
        return 0;
    }

    // Each round runs all operations: a failure is recorded and claimed, a key is claimed and completed with an effect,
    // an event is delayed, a saga is started and ended. Only accepted operations are printed.
    private static async Task WriteAsync(TestStores stores, int first, int writer)
    {
        for (var round = first; ; round++)
        {
            var id = $"{writer}-{round}";
            var token = CancellationToken.None;
            await stores.Failures.RecordAsync(round % 2 == 0 ? TestStores.Dead(id, line: id) : TestStores.Failed(id, line: id), token);
            Console.WriteLine($"recorded {id}");
            await stores.Failures.TryParkAsync(TestStores.Parked($"behind-{id}", id), 10, token);
            Console.WriteLine($"parked {id}");
            var key = new ProcessedKey("mail", id);
            var claim = await stores.Processed.ClaimAsync(key, 1, TestStores.Now, TestStores.Lease, token);
            var effects = new Effect[]
            {
                (transaction, ct) => Effects.InsertAsync(transaction, id, ct),
                (transaction, ct) => Effects.InsertAsync(transaction, id, ct)
            };
            await stores.Processed.CompleteAsync(key, claim.FencingToken, new Completion(
                [TestStores.Event(id)],
                [.. effects.Select(effect => new Func<System.Data.Common.DbTransaction, CancellationToken, Task>(effect))],
                TestStores.Now), token);
            Console.WriteLine($"completed {id}");
            await stores.Delays.AddAsync(TestStores.Event(id), TestStores.Now, token);
            Console.WriteLine($"delayed {id}");
            await stores.Sagas.CreateAsync(TestStores.Saga(id), token);
            await stores.Sagas.SaveAsync(
                TestStores.Saga(id) with { Version = 1, Status = SagaStatus.Completed, DueAt = null, KeepUntil = TestStores.Now },
                token);
            Console.WriteLine($"saved {id}");
        }
    }
}
