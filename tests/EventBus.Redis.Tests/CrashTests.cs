using System.Diagnostics;
using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.Hosting;

namespace EventBus.Redis.Tests;

public sealed class CrashTests
{
    private static CancellationToken TestToken => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Consumer_KilledWhileItHandles_LeavesTheEventToAnother()
    {
        await using var redis = await TestRedis.OpenAsync();
        var publisher = await redis.StartAsync();
        using var victim = StartVictim(redis.Prefix, finishes: false);
        try
        {
            Assert.Equal("ready", await LineAsync(victim));
            var handled = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var successor = Victim.Build(redis.Prefix, (_, context, _) =>
            {
                handled.TrySetResult(context.EventId);
                return Task.CompletedTask;
            });

            // The second process starts after the victim took the event, so only the victim can have received it first.
            await TestRedis.PublishAcceptedAsync(publisher, Parcel(1));
            Assert.Equal("took p-1", await LineAsync(victim));
            await successor.StartAsync(TestToken);
            Assert.False(handled.Task.IsCompleted);
            await KillAsync(victim);

            Assert.Equal("p-1", await handled.Task.WaitAsync(TestRedis.Patience, TestToken));
            await successor.StopAsync(TestToken);
            Assert.Equal(0, await PendingAsync(redis));
        }
        finally
        {
            victim.Kill();
        }
    }

    [Fact]
    public async Task Consumers_KilledOneAfterAnother_LoseNothing()
    {
        const int Count = 400, Kills = 4;
        await using var redis = await TestRedis.OpenAsync();
        var publisher = await redis.StartAsync();
        var left = Enumerable.Range(0, Count).Select(number => $"p-{number}").ToHashSet();
        for (var kill = 0; kill < Kills; kill++)
        {
            using var victim = StartVictim(redis.Prefix, finishes: true);
            try
            {
                // The victim may take over deliveries of an earlier one before it prints that it has started.
                while (await LineAsync(victim) is var line && line != "ready")
                {
                    Assert.NotNull(line);
                    Take(line);
                }

                foreach (var batch in Enumerable.Range(kill * Count / Kills, Count / Kills).Chunk(20))
                {
                    await TestRedis.PublishAcceptedAsync(publisher, [.. batch.Select(Parcel)]);
                }

                // Kills the victim with most of its share unhandled.
                for (var i = 0; i < 10; i++)
                {
                    Take(await LineAsync(victim));
                }

                await KillAsync(victim);
                while (await LineAsync(victim) is { } line)
                {
                    Take(line);
                }
            }
            finally
            {
                victim.Kill();
            }
        }

        // The second process gets exactly the events that no victim acknowledged.
        var group = Assert.Single(await redis.Database.StreamGroupInfoAsync(redis.ParcelStream));
        var unacknowledged = Count - (group.EntriesRead!.Value - group.PendingMessageCount);
        Assert.InRange(unacknowledged, left.Count, Count);
        Assert.NotEmpty(left);

        var takenOver = new HashSet<string>();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var successor = Victim.Build(redis.Prefix, (_, context, _) =>
        {
            lock (takenOver)
            {
                if (takenOver.Add(context.EventId) && takenOver.Count == unacknowledged)
                {
                    done.TrySetResult();
                }
            }

            return Task.CompletedTask;
        });
        await successor.StartAsync(TestToken);
        await done.Task.WaitAsync(TestRedis.Patience, TestToken);
        await successor.StopAsync(TestToken);

        Assert.Equal(0, await PendingAsync(redis));
        left.ExceptWith(takenOver);
        Assert.Empty(left);

        void Take(string? line) => left.Remove(line?["took ".Length..] ?? "");
    }

    private static Envelope Parcel(int number) =>
        new(new EnvelopeAttributes { Id = $"p-{number}", Name = "parcel.sent" }, Encoding.UTF8.GetBytes($$"""{"Number":{{number}}}"""));

    private static async Task<long> PendingAsync(TestRedis redis) =>
        (await redis.Database.StreamPendingAsync(redis.ParcelStream, $"{Victim.Service}:{Victim.Subscription}")).PendingMessageCount;

    private static Process StartVictim(string prefix, bool finishes) =>
        Process.Start(new ProcessStartInfo("dotnet", [typeof(CrashTests).Assembly.Location, "victim", prefix, $"{finishes}"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    /// <summary>Kills the process with SIGKILL: it releases nothing and prints nothing.</summary>
    private static async Task KillAsync(Process victim)
    {
        victim.Kill();
        await victim.WaitForExitAsync(TestToken).WaitAsync(TestRedis.Patience, TestToken);
    }

    private static async Task<string?> LineAsync(Process victim) =>
        await victim.StandardOutput.ReadLineAsync(TestToken).AsTask().WaitAsync(TestRedis.Patience, TestToken);
}
