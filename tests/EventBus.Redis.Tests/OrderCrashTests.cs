using System.Diagnostics;
using System.Globalization;
using System.Text;
using EventBus.Transports;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that each key keeps its order and never has two owners while processes that share an ordered subscription are
/// killed and frozen.
/// </summary>
public sealed class OrderCrashTests
{
    private const int Keys = 5;

    private static CancellationToken TestToken => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Walkers_ActiveOneKilledRepeatedly_KeepTheOrderOfEveryKey()
    {
        const int Kills = 3, Length = 120;
        await using var redis = await TestRedis.OpenAsync();
        var walkers = new List<Process> { Start(redis, "w0") };
        try
        {
            await ReadyAsync(walkers[0]);
            var publisher = await redis.StartAsync();
            const int Share = Length / (Kills + 1);
            for (var kill = 0; kill < Kills; kill++)
            {
                // The next process starts after this one is active. This one has a backlog when it is killed.
                await PublishAsync(publisher, kill * Share, 1);
                await JournalAsync(redis, steps => steps.Exists(step => step.Walker == $"w{kill}"));
                walkers.Add(Start(redis, $"w{kill + 1}"));
                await ReadyAsync(walkers[^1]);
                await PublishAsync(publisher, (kill * Share) + 1, Share - 1);
                await SignalAsync(walkers[kill], "KILL");
            }

            await PublishAsync(publisher, Kills * Share, Share);
            var journal = await JournalAsync(redis, steps => steps.DistinctBy(step => (step.Key, step.Number)).Count() == Keys * Length);
            Assert.Equal(Kills + 1, journal.Steps.Select(step => step.Walker).Distinct().Count());
            CheckOrder(journal);
        }
        finally
        {
            walkers.ForEach(End);
        }
    }

    [Fact]
    public async Task Walker_SuspendedWhileItIsActive_LosesItsKeysPermanently()
    {
        const int Length = 300;
        await using var redis = await TestRedis.OpenAsync();
        Process[] walkers = [Start(redis, "frozen"), Start(redis, "successor")];
        try
        {
            await ReadyAsync(walkers[0]);
            await ReadyAsync(walkers[1]);
            var publisher = await redis.StartAsync();
            await PublishAsync(publisher, 0, Length / 2);
            var active = (await JournalAsync(redis, steps => steps.Count > 20)).Steps[0].Walker;
            var other = active == "successor" ? "frozen" : "successor";
            var victim = walkers[active == "frozen" ? 0 : 1];

            await SignalAsync(victim, "STOP");
            await JournalAsync(redis, steps => steps.Exists(step => step.Walker == other));
            await SignalAsync(victim, "CONT");
            await PublishAsync(publisher, Length / 2, Length - (Length / 2));

            var journal = await JournalAsync(redis, steps => steps.DistinctBy(step => (step.Key, step.Number)).Count() == Keys * Length);
            CheckOrder(journal);

            // A handler that was running when the process froze may complete. No new attempt begins.
            foreach (var key in journal.Steps.GroupBy(step => step.Key))
            {
                Assert.InRange(key.SkipWhile(step => step.Walker == active).Count(step => step.Walker == active), 0, 1);
            }
        }
        finally
        {
            Array.ForEach(walkers, End);
        }
    }

    /// <summary>
    /// Asserts that no event is handled before an earlier one, and that no instance repeats events except after a loss.
    /// </summary>
    private static void CheckOrder(Journal journal)
    {
        foreach (var key in journal.Steps.GroupBy(step => step.Key))
        {
            Assert.Equal(Enumerable.Range(0, key.Max(step => step.Number) + 1), key.Select(step => step.Number).Distinct());
            foreach (var walker in key.GroupBy(step => step.Walker))
            {
                Assert.All(walker.Zip(walker.Skip(1)), pair => Assert.InRange(
                    pair.Second.Number,
                    journal.HasLossBetween(pair.First, pair.Second) ? 0 : pair.First.Number + 1,
                    pair.First.Number + 1));
            }
        }
    }

    private static async Task PublishAsync(Transport transport, int from, int count)
    {
        foreach (var batch in Enumerable.Range(from, count)
            .SelectMany(number => Enumerable.Range(0, Keys).Select(key => StepOf(key, number)))
            .Chunk(50))
        {
            await TestRedis.PublishAcceptedAsync(transport, batch);
        }
    }

    private static Envelope StepOf(int key, int number) => new(
        new EnvelopeAttributes { Id = $"{key}/{number}", Name = "parcel.stepped", Key = $"{key}" },
        Encoding.UTF8.GetBytes($$"""{"Key":{{key}},"Number":{{number}}}"""));

    /// <summary>Waits until the journal fulfils a condition.</summary>
    private static async Task<Journal> JournalAsync(TestRedis redis, Predicate<List<Step>> isDone)
    {
        var (steps, losses) = (new List<Step>(), new List<(string, int)>());
        await Until.TrueAsync(
            () => $"the journal is complete; it has {steps.Count} steps, the last {(steps.Count > 0 ? steps[^1] : null)}",
            TestRedis.Patience,
            ReadAsync,
            TestContext.Current.CancellationToken);
        return new Journal(steps, losses);

        async Task<bool> ReadAsync()
        {
            var entries = await redis.Database.ListRangeAsync(Walker.JournalOf(redis.Prefix));
            var lines = entries.Select((entry, at) => (Parts: ((string)entry!).Split('/'), At: at))
                .ToLookup(line => line.Parts is [_, "lost"]);
            steps = [.. lines[false].Select(line => new Step(
                line.Parts[0],
                int.Parse(line.Parts[1], CultureInfo.InvariantCulture),
                int.Parse(line.Parts[2], CultureInfo.InvariantCulture),
                line.At))];
            losses = [.. lines[true].Select(line => (line.Parts[0], line.At))];
            return isDone(steps);
        }
    }

    private static Process Start(TestRedis redis, string name) =>
        Process.Start(new ProcessStartInfo("dotnet", [typeof(OrderCrashTests).Assembly.Location, "walker", redis.Prefix, name])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    private static async Task ReadyAsync(Process walker) =>
        Assert.Equal("ready", await walker.StandardOutput.ReadLineAsync(TestToken).AsTask().WaitAsync(TestRedis.Patience, TestToken));

    private static async Task SignalAsync(Process walker, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{walker.Id}"]);
        await kill.WaitForExitAsync(TestToken).WaitAsync(TestRedis.Patience, TestToken);
        Assert.Equal(0, kill.ExitCode);
    }

    private static void End(Process walker)
    {
        walker.Kill();
        walker.Dispose();
    }

    private sealed record Step(string Walker, int Key, int Number, int At);

    private sealed record Journal(List<Step> Steps, List<(string Walker, int At)> Losses)
    {
        public bool HasLossBetween(Step first, Step second) =>
            Losses.Exists(loss => loss.Walker == first.Walker && loss.At > first.At && loss.At < second.At);
    }
}
