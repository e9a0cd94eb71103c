using System.Text;

namespace EventBus;

/// <summary>
/// Makes texts in which every kind of character occurs: plain, escaped, control, of two and three bytes, pairs and
/// halves of surrogates.
/// </summary>
internal sealed class RandomTexts(int seed)
{
    private readonly Random random = new(seed);

    /// <summary>Returns a text of up to this number of characters; long runs of one kind occur.</summary>
    public string Next(int most)
    {
        var length = random.Next(most + 1);
        var text = new StringBuilder(length + 2);
        while (text.Length < length)
        {
            var kind = random.Next(8);
            var run = random.Next(4) == 0 ? random.Next(1, length + 1) : 1;
            for (var i = 0; i < run && text.Length < length; i++)
            {
                Append(text, kind);
            }
        }

        return text.ToString();
    }

    public int Next(int least, int most) => random.Next(least, most);

    private void Append(StringBuilder text, int kind) => _ = kind switch
    {
        0 or 1 or 2 => text.Append((char)random.Next('a', 'z' + 1)),
        3 => text.Append("\"\\<>&'+`/"[random.Next(9)]),
        4 => text.Append((char)random.Next(' ')),
        5 => text.Append((char)random.Next(0x7f, 0x3000)),
        6 => text.Append(char.ConvertFromUtf32(random.Next(0x1_0000, 0x11_0000))),
        _ => text.Append((char)random.Next(0xd800, 0xe000)),
    };
}
