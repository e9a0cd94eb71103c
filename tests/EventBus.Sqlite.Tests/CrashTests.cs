using System.Diagnostics;
using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed class CrashTests : IDisposable
{
    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => folder["bus.db"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Writers_KilledOneAfterAnother_LoseNoAcceptedEvent()
    {
        const int Kills = 5, RoundsApart = 100_000;
        await Effects.CreateTableAsync(File);
        var accepted = new HashSet<string>();
        for (var kill = 0; kill < Kills; kill++)
        {
            using var victim = Process.Start(new ProcessStartInfo(
                "dotnet",
                [typeof(CrashTests).Assembly.Location, "victim", File, $"{kill * RoundsApart}"])
            { RedirectStandardOutput = true })!;
            try
            {
                Assert.Equal("ready", await LineAsync(victim));
                for (var lines = 0; lines < 100 + (kill * 137); lines++)
                {
                    accepted.Add((await LineAsync(victim))!);
                }

                victim.Kill();
                while (await LineAsync(victim) is { } line)
                {
                    accepted.Add(line);
                }
            }
            finally
            {
                victim.Kill();
            }

            // The last line may be incomplete, because the process was killed.
            await AssertWholeAsync([.. accepted.Where(line => line.Split('-') is [_, { Length: > 0 }])]);
        }
    }

    [Fact]
    public async Task Log_TruncatedAnywhere_OpensInAnEarlierState()
    {
        const int Steps = 40;
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Failed("0", line: "k"), Token);

            // From here on, all changes are in the write-ahead log only.
            using var connection = Connect(File);
            await RunAsync(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
            for (var step = 1; step <= Steps; step++)
            {
                Assert.Equal(ParkOutcome.Parked, await stores.Failures.TryParkAsync(Parked($"{step}", "k"), 100, Token));
            }

            Copy("whole");
        }

        var log = await System.IO.File.ReadAllBytesAsync(folder["whole-wal"], Token);
        var random = new Random(4711);
        var seen = new HashSet<long>();
        foreach (var length in Enumerable.Range(0, 60).Select(_ => random.Next(log.Length)).Append(log.Length).Append(0))
        {
            System.IO.File.Copy(folder["whole"], folder["torn"], overwrite: true);
            await System.IO.File.WriteAllBytesAsync(folder["torn-wal"], log[..length], Token);
            await using var stores = await OpenAsync(folder["torn"]);
            var kept = await stores.Failures.CountAsync(Token);
            Assert.True(seen.Add(kept) || kept <= Steps + 1);
            Assert.Equal(length == log.Length, kept == Steps + 1);

            // The line is processed from its beginning: the remaining entries are the first ones that were accepted,
            // and each of them is complete.
            for (var step = 0; step < kept; step++)
            {
                var head = Assert.Single((await stores.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
                Assert.Equal(($"{step}", null), (head.Envelope.Id, head.Envelope.Defect));
                await stores.Failures.CompleteAsync(head, Token);
            }

            Assert.Equal(0, await stores.Failures.CountAsync(Token));
        }

        Assert.True(seen.Count > 10, "The log was always interrupted at the same step.");
    }

    private async Task AssertWholeAsync(IReadOnlyCollection<string> accepted)
    {
        await using var stores = await OpenAsync(File);
        using var connection = Connect(File);
        Assert.Equal(await RunAsync(connection, "SELECT count(*) FROM eventbus_failures"), await stores.Failures.CountAsync(Token));
        Assert.Equal(
            await RunAsync(connection, "SELECT count(*) FROM eventbus_failures"),
            await RunAsync(connection, "SELECT count(*) FROM eventbus_failure_contents"));
        Assert.Equal(await RunAsync(connection, "SELECT count(*) FROM eventbus_processed"), await stores.Processed.CountAsync(Token));
        Assert.Equal(await RunAsync(connection, "SELECT count(*) FROM eventbus_delays"), await stores.Delays.CountAsync(Token));
        Assert.Equal(
            await RunAsync(connection, "SELECT count(*) FROM eventbus_sagas WHERE status = 0"),
            await stores.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, Token));
        Assert.Equal(
            await RunAsync(connection, "SELECT count(*) FROM eventbus_sagas"),
            await stores.Sagas.CountAsync(new SagaFilter(), Token));

        // Each completed key has both of its effects, and no other key has one.
        Assert.Equal(
            2 * await RunAsync(connection, "SELECT count(*) FROM eventbus_processed WHERE done = 1"),
            await RunAsync(connection, "SELECT count(*) FROM effects"));
        Assert.Equal(0, await RunAsync(connection, "SELECT count(*) FROM (SELECT id FROM effects GROUP BY id HAVING count(*) <> 2)"));
        Assert.Equal(0, await RunAsync(
            connection,
            "SELECT count(*) FROM effects WHERE id NOT IN (SELECT event_key FROM eventbus_processed WHERE done = 1 AND outbox IS NOT "
                + "NULL)"));
        foreach (var (what, query) in new[]
        {
            ("recorded ", "SELECT count(*) FROM eventbus_failures WHERE event_id = '{0}'"),
            ("parked ", "SELECT count(*) FROM eventbus_failures WHERE event_id = 'behind-{0}'"),
            ("completed ", "SELECT count(*) FROM eventbus_processed WHERE event_key = '{0}' AND done = 1"),
            ("delayed ", "SELECT count(*) FROM eventbus_delays WHERE event_id = '{0}'"),
            ("saved ", "SELECT count(*) FROM eventbus_sagas WHERE id = '{0}' AND version = 2 AND status = 3"),
        })
        {
            var ids = accepted.Where(line => line.StartsWith(what, StringComparison.Ordinal)).Select(line => line[what.Length..]).ToList();
            Assert.NotEmpty(ids);
            foreach (var id in ids)
            {
                Assert.True(await RunAsync(connection, string.Format(query, id)) == 1, $"'{what}{id}' was reported, and is missing.");
            }
        }
    }

    private static async Task<string?> LineAsync(Process victim) =>
        await victim.StandardOutput.ReadLineAsync(Token).AsTask().WaitAsync(Patience, Token);

    private void Copy(string name)
    {
        System.IO.File.Copy(File, folder[name]);
        System.IO.File.Copy($"{File}-wal", folder[$"{name}-wal"]);
    }
}
