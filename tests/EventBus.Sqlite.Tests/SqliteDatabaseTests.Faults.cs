using System.Diagnostics;
using EventBus.Stores;
using Microsoft.Data.Sqlite;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed partial class SqliteDatabaseTests
{
    [Fact]
    public async Task Write_WhileAnotherProcessLocksTheFile_FailsInTimeAndThenSucceeds()
    {
        await using var stores = await OpenAsync(File);
        await stores.Failures.RecordAsync(Dead("1"), Token);
        using var other = Connect(File);
        var watch = Stopwatch.StartNew();
        await using (await other.BeginTransactionAsync(Token))
        {
            var writes = Enumerable.Range(0, 20).Select(i => stores.Failures.RecordAsync(Dead($"w{i}"), Token).AsTask()).ToArray();
            foreach (var write in writes)
            {
                Assert.Contains("locked", (await Assert.ThrowsAsync<StoreRefusedException>(() => write)).Message, StringComparison.Ordinal);
            }

            Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(0.9), Patience);
            Assert.Single(await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
        }

        Assert.True(await stores.Failures.RecordAsync(Dead("2"), Token));
        Assert.Equal(2, await stores.Failures.CountAsync(Token));
    }

    [Fact]
    public async Task Write_WhileTheDatabaseIsFull_FailsAndThenSucceeds()
    {
        await using var stores = await OpenAsync(File);
        var fencingToken = (await stores.Processed.ClaimAsync(Key, 0, Now, Lease, Token)).FencingToken;
        var roomy = await stores.Processed.ClaimAsync(new ProcessedKey(Key.Subscription, "2"), 0, Now, Lease, Token);

        // An effect sets a limit on the connection of the writer, because it runs on that connection.
        await stores.Processed.CompleteAsync(Key, fencingToken, new Completion([], [Limit("PRAGMA max_page_count = 60")], Now), Token);
        var accepted = new List<string>();
        InvalidOperationException? full = null;
        for (var i = 0; full is null && i < 1_000; i++)
        {
            try
            {
                await stores.Delays.AddAsync(Event($"{i}", 2_000), Now, Token);
                accepted.Add($"{i}");
            }
            catch (InvalidOperationException exception)
            {
                full = exception;
            }
        }

        Assert.Contains("no room", full!.Message, StringComparison.Ordinal);
        Assert.Equal(accepted.Count, await stores.Delays.CountAsync(Token));
        await stores.Processed.CompleteAsync(
            new ProcessedKey(Key.Subscription, "2"),
            roomy.FencingToken,
            new Completion([], [Limit("PRAGMA max_page_count = 1000000")], Now),
            Token);
        await stores.Delays.AddAsync(Event("more", 2_000), Now, Token);
        Assert.Equal([.. accepted, "more"], (await stores.Delays.ClaimDueAsync(Now, Lease, 1_000, Token)).Entries.Select(e => e.Id));
    }

    [Fact]
    public async Task Write_WhileTheDiskIsFull_FailsAndThenSucceeds()
    {
        var mount = Directory.CreateDirectory(folder["disk"]).FullName;
        Assert.SkipUnless(
            await MountAsync("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount),
            "A disk that fills up needs the right to mount one.");
        try
        {
            var file = Path.Combine(mount, "bus.db");
            await using var stores = await OpenAsync(file);
            var filler = Path.Combine(mount, "filler");
            var free = new DriveInfo(mount).AvailableFreeSpace;
            await System.IO.File.WriteAllBytesAsync(filler, new byte[Math.Max(0, free - 100_000)], Token);
            var accepted = 0;
            var failed = await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                for (; accepted < 1_000; accepted++)
                {
                    await stores.Failures.RecordAsync(Dead($"{accepted}") with { ErrorDetails = new string('x', 4_000) }, Token);
                }
            });
            Assert.True(failed is InvalidOperationException or EventBusException, failed.ToString());
            Assert.Equal(accepted, await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));

            System.IO.File.Delete(filler);
            Assert.True(await stores.Failures.RecordAsync(Dead("more"), Token));
            Assert.Equal(accepted + 1, (await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter { Take = 1_000 }, Token)).Count);
        }
        finally
        {
            Assert.True(await MountAsync("umount", "-l", mount));
        }
    }

    [Fact]
    public async Task File_ThatCannotBeUsed_IsRefusedWithTheFix()
    {
        await System.IO.File.WriteAllTextAsync(folder["text"], string.Concat(Enumerable.Repeat("this is no database. ", 100)), Token);
        await AssertRefusedAsync(folder["text"], "is not a SQLite database");
        await AssertRefusedAsync(folder["no/such/folder/bus.db"], "cannot be opened");
        await AssertRefusedAsync(folder.Path, "cannot be opened");

        // The superuser may write any file, so this error is not provoked.
        const int ReadOnly = 8;
        var refused = new SqliteErrors(File, TimeSpan.Zero).Explain(new SqliteException("attempt to write a readonly database", ReadOnly));
        Assert.Contains("cannot be written", refused.Message, StringComparison.Ordinal);

        await (await OpenAsync(File)).DisposeAsync();
        using (var connection = Connect(File))
        {
            await RunAsync(connection, "UPDATE eventbus_meta SET value = 99 WHERE name = 'schema'");
        }

        await AssertRefusedAsync(File, "newer version");
        await (await OpenAsync(File, configure: options => options.TablePrefix = "mine_")).DisposeAsync();
    }

    [Fact]
    public async Task Rows_ThatCannotBeRead_DoNotHideTheOthers()
    {
        await using (var stores = await OpenAsync(File))
        {
            foreach (var id in new[] { "good", "attributes", "other", "history", "null", "reason", "type", "time", "lost" })
            {
                await stores.Failures.RecordAsync(Dead(id) with { Subscription = "dead" }, Token);
                await stores.Failures.RecordAsync(Failed(id), Token);
                await stores.Delays.AddAsync(Event(id), Now, Token);
            }
        }

        using (var connection = Connect(File))
        {
            // Simulates another program or a faulty disk: the constraints of the tables would refuse some of these
            // values.
            await RunAsync(connection, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(replace(replace(sql, "
                + "'STRICT', ''), 'NOT NULL', ''), 'CHECK (status BETWEEN 0 AND 3)', '') WHERE type = 'table'; PRAGMA writable_schema = "
                + "RESET");
            const string Contents = "UPDATE eventbus_failure_contents SET", Failures = "UPDATE eventbus_failures SET";
            foreach (var (id, sql) in new[]
            {
                ("attributes", $"{Contents} attributes = x'7b7b'"),
                ("other", $"{Contents} attributes = '{{\"id\":\"9\"}}'"),
                ("history", $"{Contents} history = 'nonsense'"),
                ("null", $"{Contents} attributes = NULL, body = NULL, history = NULL"), ("lost", "DELETE FROM eventbus_failure_contents"),
            })
            {
                await RunAsync(connection, $"{sql} WHERE seq IN (SELECT seq FROM eventbus_failures WHERE event_id = '{id}')");
            }

            await RunAsync(connection, $"{Failures} reason = 77, error = x'00' WHERE event_id = 'reason'; {Failures} starts = 'many', "
                + $"replays = 1.5 WHERE event_id = 'type'; {Failures} first_failed_at = -1, due_at = NULL WHERE event_id = 'time'");
            await RunAsync(connection, "UPDATE eventbus_delays SET attributes = NULL WHERE event_id = 'null'; UPDATE eventbus_delays SET "
                + "body = 7 WHERE event_id = 'type'");
        }

        await using var again = await OpenAsync(File);
        var dead = await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token);
        var due = (await again.Failures.ClaimDueAsync(["mail"], Now, Lease, 100, Token)).Entries;
        var delayed = (await again.Delays.ClaimDueAsync(Now, Lease, 100, Token)).Entries;

        foreach (var entries in new[] { dead, due })
        {
            Assert.Equal(
                ["attributes", "good", "history", "lost", "null", "other", "reason", "time", "type"],
                entries.Select(entry => entry.Envelope.Id).Order(StringComparer.Ordinal));
            Assert.Equal(
                ["good", "history"],
                entries.Where(entry => entry.Envelope.Defect is null).Select(entry => entry.Envelope.Id).Order(StringComparer.Ordinal));
        }

        Assert.Equal(
            ["null", "type"],
            delayed.Where(envelope => envelope.Defect is not null).Select(envelope => envelope.Id).Order(StringComparer.Ordinal));
        Assert.Equal(9, delayed.Count);
        foreach (var entry in due)
        {
            Assert.True(await again.Failures.RecordAsync(
                entry with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.Unreadable },
                Token));
            Assert.True(await again.Failures.DeadLetters.DiscardAsync($"dead~{entry.Envelope.Id}", Token));
        }

        Assert.Equal(9, (await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Count);
    }

    /// <summary>
    /// A page of the file that contains only a part of one body has a wrong pointer to the next page: a reader of that
    /// body gets the error that the file is malformed.
    /// </summary>
    [Fact]
    public async Task Page_ThatIsDamaged_AffectsNoOtherEntry()
    {
        await using (var stores = await OpenAsync(File))
        {
            foreach (var id in new[] { "1", "bad", "2" })
            {
                await stores.Failures.RecordAsync(Failed(id) with { Envelope = Event(id, id == "bad" ? 50_000 : 10) }, Token);
                await stores.Failures.RecordAsync(
                    Dead(id) with { Subscription = "dead", Envelope = Event(id, id == "bad" ? 50_000 : 10) },
                    Token);
                await stores.Delays.AddAsync(Event(id, id == "bad" ? 50_000 : 10), Now, Token);
                await stores.Sagas.CreateAsync(Saga(id) with { DueAt = Now, Content = new byte[id == "bad" ? 50_000 : 10] }, Token);
            }
        }

        DamageOverflowPages(File);
        await using var again = await OpenAsync(File);
        var due = (await again.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries;
        Assert.Equal(["1", "bad", "2"], due.Select(entry => entry.Envelope.Id));
        Assert.Equal(["bad"], due.Where(entry => entry.Envelope.Defect is not null).Select(entry => entry.Envelope.Id));
        Assert.Equal(
            ["2", "bad", "1"],
            (await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Select(entry => entry.Envelope.Id));
        Assert.NotNull((await again.Failures.DeadLetters.FindAsync("dead~bad", Token))!.Envelope.Defect);
        Assert.Empty(again.Problems);
        Assert.Equal(["1", "2"], (await again.Delays.ClaimDueAsync(Now, Lease, 10, Token)).Entries.Select(envelope => envelope.Id));
        Assert.Contains("1 delayed events", Assert.Single(again.Problems), StringComparison.Ordinal);
        Assert.Equal(["1", "bad", "2"], (await again.Sagas.ListDueAsync(["trip"], Now, 10, Token)).Entries.Select(saga => saga.Id));
        Assert.NotNull((await again.Sagas.FindAsync("bad", Token))!.Defect);

        // The entry has to become a dead letter. It cannot be removed, and reports that.
        Assert.Empty(await again.Failures.RenewAsync(due, Now + (2 * Lease), Token));
        Assert.True(
            await again.Failures.RecordAsync(due[1] with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.Unreadable }, Token));
        await again.Failures.CompleteAsync(due[0], Token);
        await again.Failures.CompleteAsync(due[2], Token);
        Assert.Equal(DeadLetterReason.Unreadable, (await again.Failures.DeadLetters.FindAsync("mail~bad", Token))!.Reason);
        Assert.Equal(StoreScope.Entry, (await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await again.Failures.DeadLetters.DiscardAsync("mail~bad", Token))).Scope);
        Assert.Equal(2, await again.Failures.DeadLetters.SweepAsync(Now.AddDays(1), 100, Token));
        Assert.True(await again.Failures.RecordAsync(Failed("more"), Token));
    }

    [Fact]
    public async Task Sweep_ThatMeetsDamageAfterItsFirstWrite_CountsAllThatItRemoved()
    {
        await using (var stores = await OpenAsync(File))
        {
            for (var i = 0; i < 250; i++)
            {
                await stores.Failures.RecordAsync(Dead($"{i}") with { LastFailedAt = Now }, Token);
            }

            await stores.Failures.RecordAsync(
                Dead("bad") with { LastFailedAt = Now.AddMinutes(1), Envelope = Event("bad", 50_000) },
                Token);
        }

        DamageOverflowPages(File);
        await using var again = await OpenAsync(File);

        Assert.Equal(250, await again.Failures.DeadLetters.SweepAsync(Now.AddDays(1), 500, Token));
    }

    /// <summary>Overwrites the pointer from a page of a long row to the next page.</summary>
    private static void DamageOverflowPages(string file)
    {
        int page;
        using (var connection = Connect(file))
        {
            page = (int)RunAsync(connection, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA page_size").GetAwaiter().GetResult();
            page = page > 100 ? page : 4_096;
        }

        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        var bytes = new byte[page];
        for (long at = page; stream.Seek(at, SeekOrigin.Begin) == at && stream.Read(bytes) == page; at += page)
        {
            // The rest of the page repeats one byte of the body.
            var body = bytes.AsSpan(4);
            if (!body.ContainsAnyExcept(body[0]) && body[0] is (byte)'x' or 0 && bytes.AsSpan(0, 4).ContainsAnyExcept((byte)0))
            {
                stream.Seek(at, SeekOrigin.Begin);
                stream.Write([0x7F, 0xFF, 0xFF, 0xFF]);
            }
        }
    }

    private static Func<System.Data.Common.DbTransaction, CancellationToken, Task> Limit(string pragma) => async (transaction, token) =>
    {
        await using var command = transaction.Connection!.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, pragma);
        await command.ExecuteNonQueryAsync(token);
    };

    private static async Task AssertRefusedAsync(string file, string why)
    {
        var exception = await Assert.ThrowsAsync<EventBusException>(async () => await OpenAsync(file));
        Assert.Contains(why, exception.Message, StringComparison.Ordinal);
    }

    private static async Task<bool> MountAsync(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
            await process.WaitForExitAsync(Token).WaitAsync(Patience, Token);
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
