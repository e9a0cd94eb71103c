using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace EventBus.ReadModel;

/// <summary>
/// Measures the forms in turns, round by round, so that a disturbance of the machine affects all of them. The order
/// changes with every round.
/// </summary>
internal sealed class Comparison(LoadPlan plan)
{
    // SQLite blocks the thread of its caller. Without this the pool of threads would be measured, which grows slowly.
    private const int Threads = 64;

    private static readonly Form[] Forms = Enum.GetValues<Form>();

    private readonly Progress progress = new();

    public async Task<Results> RunAsync()
    {
        ThreadPool.SetMinThreads(Threads, Threads);
        using var folder = new ScratchFolder();
        var shops = new List<Shop>();
        try
        {
            foreach (var form in Forms)
            {
                progress.Show($"starting {form}");
                shops.Add(await Shop.StartAsync(form, plan, folder.Path));
            }

            await CompareAnswersAsync(shops);
            var series = new List<Series>();
            foreach (var query in Enum.GetValues<Query>())
            {
                series.AddRange(await RunAsync(query, shops));
            }

            progress.Clear();
            var results = new Results(Machine.Current(), new SqliteConnection().ServerVersion, plan, series);
            Console.WriteLine(ResultTable.Write(results));
            return results;
        }
        finally
        {
            foreach (var shop in shops)
            {
                await shop.DisposeAsync();
            }

            SqliteConnection.ClearAllPools();
        }
    }

    /// <summary>The forms must answer the same, or their times mean nothing.</summary>
    private async Task CompareAnswersAsync(List<Shop> shops)
    {
        foreach (var query in Enum.GetValues<Query>())
        {
            for (var user = 0; user < plan.Users; user++)
            {
                var answers = new HashSet<string>();
                foreach (var shop in shops)
                {
                    answers.Add(await shop.QueryAsync(query, user));
                }

                if (answers.Count > 1)
                {
                    throw new InvalidOperationException($"The answers to {query} differ:\n{string.Join('\n', answers)}");
                }
            }
        }
    }

    private async Task<IEnumerable<Series>> RunAsync(Query query, List<Shop> shops)
    {
        var found = shops.ConvertAll(_ => new List<RoundResult>());

        // The round before the first warms up, and does not count.
        for (var round = -1; round < plan.Rounds; round++)
        {
            for (var turn = 0; turn < shops.Count; turn++)
            {
                var place = round % 2 == 0
                    ? (turn + (round / 2)) % shops.Count
                    : (shops.Count - 1 - turn + ((round + 1) / 2)) % shops.Count;
                progress.Show($"{query}, round {round + 1} of {plan.Rounds}, {shops[place].Form}");
                var result = await MeasureAsync(shops[place], query, round);
                if (round >= 0)
                {
                    found[place].Add(result);
                }
            }
        }

        return shops.Zip(found, (shop, rounds) => new Series(query, shop.Form, rounds));
    }

    private async Task<RoundResult> MeasureAsync(Shop shop, Query query, int round)
    {
        // The same users in the same order in every form.
        var checkouts = LoadAsync(plan.CheckoutsPerSecond, new Random(round), shop.CheckoutAsync);
        var queries = LoadAsync(plan.QueriesPerSecond, new Random(-round - 2), user => shop.QueryAsync(query, user));
        await Task.WhenAll(checkouts, queries);

        // What a form must do after the answers is part of its turn, and does not disturb the next one.
        await shop.WhenIdleAsync();
        return new RoundResult(
            Milliseconds(await checkouts, 0.5),
            Milliseconds(await checkouts, 0.99),
            Milliseconds(await queries, 0.5),
            Milliseconds(await queries, 0.99));
    }

    /// <summary>
    /// Sends requests at a rate, which are due at fixed times. The time of each counts from when it was due.
    /// </summary>
    private async Task<long[]> LoadAsync(int rate, Random random, Func<int, Task> request)
    {
        var users = Enumerable.Range(0, rate * plan.Seconds).Select(_ => random.Next(plan.Users)).ToArray();
        var times = new long[users.Length];
        await Pace.RunAsync(times.Length, rate, (number, dueAt) => new ValueTask(TimeAsync(number, dueAt)));
        Array.Sort(times);
        return times;

        async Task TimeAsync(int number, long dueAt)
        {
            await request(users[number]);
            times[number] = Stopwatch.GetTimestamp() - dueAt;
        }
    }

    private static double Milliseconds(long[] sorted, double part) =>
        Statistics.Percentile(sorted, part) * 1_000.0 / Stopwatch.Frequency;
}
