using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace EventBus;

/// <summary>Declares the allowed form of a text.</summary>
/// <remarks>
/// The two forms are compared here: the classes of regular expressions would be a sixteenth of a small native program.
/// </remarks>
/// <param name="pattern">
/// The pattern that the whole text must match: <see cref="NotBlank"/>, or characters and a length such as
/// <c>[a-z_-]{1,100}</c>. As a regular expression it has the same meaning.
/// </param>
/// <param name="allowed">The allowed form in words.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedTextAttribute(string pattern, string allowed) : ValidationAttribute
{
    /// <summary>The pattern of a text that is not blank.</summary>
    public const string NotBlank = @"(?s:.*\S.*)";

    private const string EndOfCharacters = "]{";

    /// <summary>True if null is allowed too. Default false.</summary>
    public bool AllowsNull { get; set; }

    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
    {
        var isAllowed = value is string text ? Matches(text) : value is null && AllowsNull;
        return isAllowed ? null : new ValidationResult($"{validationContext.DisplayName} is '{value}'; {allowed} are allowed.");
    }

    private bool Matches(string text)
    {
        if (pattern == NotBlank)
        {
            return !string.IsNullOrWhiteSpace(text);
        }

        var end = pattern.IndexOf(EndOfCharacters, StringComparison.Ordinal);
        var lengths = end < 0 || pattern[0] != '[' ? [] : pattern[(end + EndOfCharacters.Length)..^1].Split(',');
        if (lengths.Length != 2 || !TryRead(lengths[0], out var least) || !TryRead(lengths[1], out var most))
        {
            throw new ArgumentException($"'{pattern}' is no form that is compared here; use {nameof(AllowedPatternAttribute)}.");
        }

        var characters = pattern[1..end];
        return text.Length >= least && text.Length <= most && text.All(character => IsOneOf(characters, character));
    }

    private static bool TryRead(string digits, out int number) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static bool IsOneOf(string characters, char character)
    {
        for (var i = 0; i < characters.Length; i++)
        {
            // A hyphen between two characters is a range.
            var isRange = i + 2 < characters.Length && characters[i + 1] == '-';
            if (character >= characters[i] && character <= characters[isRange ? i + 2 : i])
            {
                return true;
            }

            i += isRange ? 2 : 0;
        }

        return false;
    }
}
